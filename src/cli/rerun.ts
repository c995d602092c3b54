import { demand, FailureError } from '../builds/failure.ts';
import { followToEnd } from './build.ts';
import type { CliContext } from './cli-io.ts';
import { requesterHere } from './requester-here.ts';

/** `tributary rerun TAG`: a further attempt of a finished build, followed to its end. */
export async function rerun(
  context: CliContext,
  tag: string,
  options: { readonly rebuild: boolean; readonly wait: boolean },
): Promise<number> {
  const { io, globals } = context;
  await using opened = await context.openService({ work: true });
  if (!options.wait && opened.kind === 'local') {
    throw new FailureError({
      reason: 'bad-request',
      detail: '--no-wait was given, but no service runs that would go on building.',
      hint: 'Start one (tributary serve), name one with --server URL, or leave --no-wait out.',
    });
  }
  const build = demand(
    await opened.service.rerun(tag, { rebuild: options.rebuild, requester: requesterHere(io) }),
  );
  if (!options.wait) {
    io.out(globals.json ? `${JSON.stringify(build)}\n` : `${build.tag}  ${build.pipelinerun}\n`);
    return 0;
  }
  return await followToEnd(context, opened, build.tag, { onInterrupt: 'cancel', quiet: true });
}
