import { meansNoSpace, noSpace } from '../../builds/disk-full.ts';
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
  if (meansNoSpace(output)) {
    const words = lines.find(meansNoSpace) ?? '';
    return new FailureError({ ...noSpace('the state folder', words), about: { output: last } });
  }
  // Code that was killed in a container is the ref's affair: its builder lived on, and names the instruction.
  const killed =
    /\] (Killed|Error 137)$/.test(lines[told] ?? '') && !/building at STEP "/.test(output);
  return new FailureError({
    reason: killed ? 'step-crashed' : 'target-failed',
    detail: killed
      ? `A program of \`make ${target}\` was killed${through}: by somebody, or by the kernel for lack of memory.`
      : `\`make ${target}\` failed${through} with exit code ${exitCode}.`,
    hint: killed
      ? 'See whether the kernel did it (`dmesg | grep -i oom`), and give the machine more memory or let make do less at once; then ask for the build again.'
      : 'The last lines tell why; the whole output is in the log of this step. Mend the ref (or the Makefile), then ask again.',
    about: { target: inner ?? target, output: last },
  });
}
