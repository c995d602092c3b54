import { demand } from '../builds/failure.ts';
import { followToEnd, printBuild } from './build.ts';
import type { CliContext } from './cli-io.ts';
import { exitCodeOfBuild } from './exit-codes.ts';

/** Flags of `status`. */
export interface StatusFlags {
  readonly follow?: true;
  readonly verbose?: true;
}

/** `tributary status TAG`: how a build is; `--follow` until it ends, with its exit code. */
export async function status(
  context: CliContext,
  tag: string,
  flags: StatusFlags,
): Promise<number> {
  const follow = flags.follow === true;
  const verbose = flags.verbose === true;
  await using opened = await context.openService({ work: follow });
  if (follow)
    return await followToEnd(context, opened, tag, { onInterrupt: 'leave', quiet: false, verbose });
  const build = demand(await opened.service.get(tag));
  await printBuild(context, opened, build, verbose);
  return exitCodeOfBuild(build);
}
