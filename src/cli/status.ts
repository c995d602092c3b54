import { demand } from '../builds/failure.ts';
import { followToEnd, printBuild } from './build.ts';
import type { CliContext } from './cli-io.ts';
import { exitCodeOfBuild } from './exit-codes.ts';

/** `tributary status TAG`: how a build is; `--follow` until it ends, with its exit code. */
export async function status(context: CliContext, tag: string, follow: boolean): Promise<number> {
  await using opened = await context.openService({ work: follow });
  if (follow) return await followToEnd(context, opened, tag, 'leave', false);
  const build = demand(await opened.service.get(tag));
  await printBuild(context, opened, build);
  return exitCodeOfBuild(build);
}
