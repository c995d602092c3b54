import { FailureError } from '../../builds/failure.ts';

/** How a target of a Makefile ended. */
export interface EndedTarget {
  readonly target: string;
  readonly exitCode: number;
  /** The end of what it wrote, both streams as they came. */
  readonly output: string;
}

/** Explains a target that failed by what make itself says: `make: *** [Makefile:77: container/x] Error 1`. */
export function explainTargetFailure({ target, exitCode, output }: EndedTarget): FailureError {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const told = lines.findIndex((line) => /^make(\[\d+\])?: \*\*\* /.test(line));
  // Other jobs of make go on for a while, and write below it.
  const last = (told < 0 ? lines : lines.slice(0, told + 1)).slice(-30);
  const [, place, inner] = /\[(?:(\S+:\d+): )?([^\]\s]+)\] /.exec(lines[told] ?? '') ?? [];
  const through =
    inner === undefined || inner === target
      ? ''
      : ` in its target ${inner}${place === undefined ? '' : ` (${place})`}`;
  const full = /no space left on device|disk quota exceeded/i.test(output);
  return new FailureError({
    reason: full ? 'step-crashed' : 'target-failed',
    detail: full
      ? `There was no space left for \`make ${target}\`.`
      : `\`make ${target}\` failed${through} with exit code ${exitCode}.`,
    hint: full
      ? 'Make space on the disk that holds the state folder, then run the build again.'
      : 'The last lines tell why; the whole output is in the log of this step. Mend the ref (or the Makefile), then ask again.',
    about: { target: inner ?? target, output: last },
  });
}
