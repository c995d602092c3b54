import type { Build } from '../builds/build.ts';
import { type Failure, reasons } from '../builds/failure.ts';

/** Exit codes, as `--help` tells them; each reason's is in the table of src/builds/failure.ts. */
export const exitCodes = {
  0: 'done; a build that was followed has succeeded',
  2: 'the request, the configuration or the usage is wrong',
  3: 'the code or the product: the build cannot succeed as asked',
  4: 'the infrastructure (git server, registry, a missing program): trying again may help',
  5: 'there is no such build, step or page',
  6: 'the build was cancelled',
  70: 'a bug in Tributary',
  130: 'ended at once by a second Ctrl-C',
} as const;

/** The exit code of failures: that of the first. */
export function exitCodeOf(failures: readonly Failure[]): number {
  const [first] = failures;
  return first === undefined ? 70 : reasons[first.reason].exit;
}

/** The exit code of a command that followed a build. */
export function exitCodeOfBuild(build: Pick<Build, 'state' | 'failure'>): number {
  if (build.failure !== null) return exitCodeOf([build.failure]);
  return build.state === 'cancelled' ? reasons.cancelled.exit : 0;
}
