import { demand } from '../builds/failure.ts';
import type { CliContext } from './cli-io.ts';

/** `tributary cancel TAG`. */
export async function cancel(context: CliContext, tag: string): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService();
  const build = demand(await opened.service.cancel(tag));
  io.out(
    globals.json
      ? `${JSON.stringify(build)}\n`
      : `${build.tag}  ${build.state === 'running' ? 'cancelling' : build.state}\n`,
  );
  return 0;
}
