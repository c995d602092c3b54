import { meansNoSpace, noSpace } from '../../builds/disk-full.ts';
import { FailureError } from '../../builds/failure.ts';
import { sandboxFailed, wasKilled } from '../processes/sandbox.ts';
import type { BuildLimits, MetLimit } from './watch-limits.ts';

/** How a container build ended. */
export interface EndedBuild {
  readonly exitCode: number;
  /** The end of what it wrote, both streams as they came. */
  readonly output: string;
  readonly network: boolean;
}

/** Explains a failed container build: the Dockerfile's fault, or the machine's. */
export function explainBuildFailure({ exitCode, output, network }: EndedBuild): FailureError {
  const lines = lastLines(output);
  const last = lines.at(-1) ?? '';
  const killed = wasKilled(exitCode, output) && failedInstruction(output) === undefined;
  const machine = lines.find((line) =>
    /^(setpriv|unshare|runc|prlimit): |newuidmap|newgidmap/.test(line),
  );
  if (killed)
    return new FailureError({
      reason: 'step-crashed',
      detail: 'A container build was killed: by somebody, or by the kernel for lack of memory.',
      hint: 'See whether the kernel did it (`dmesg | grep -i oom`), and give the machine more memory or run fewer steps at once (`limits: {steps: 1}` in the configuration); then ask for the build again.',
      about: { output: lines },
    });
  if (exitCode === sandboxFailed || machine !== undefined)
    return new FailureError({
      reason: 'step-crashed',
      detail: `The sandbox for a container build cannot be made: ${machine ?? last}`,
      hint: 'Run `tributary doctor` on the machine that builds: it says what is missing.',
      about: { output: lines },
    });
  if (meansNoSpace(output))
    return new FailureError({
      ...noSpace('`storage` of the state folder', lines.find(meansNoSpace) ?? last),
      about: { output: lines },
    });
  return new FailureError({
    reason: 'image-build-failed',
    detail: failedInstruction(output) ?? `The image does not build: ${last}`,
    hint: hintFor(output, network),
    about: { output: lines },
  });
}

/** Explains a container build that was ended because it met a limit. */
export function explainMetLimit(
  { limit, allowed, scarce }: MetLimit,
  output: string,
): FailureError {
  const lines = lastLines(output);
  const [, instruction] = [...output.matchAll(/^STEP \d+\/\d+: (.*)$/gm)].at(-1) ?? [];
  const who = instruction === undefined ? 'A container build' : `\`${instruction}\``;
  const { name, unit, words } = limitNames[limit];
  const amount = `${Math.floor(allowed / unit.bytes)}${unit.name}`;
  if (scarce)
    return new FailureError({
      reason: 'disk-full',
      detail: `${who} used more ${words} than there is: ${amount}, half of what was free when it began.`,
      hint: 'Make space on the disk that holds the state folder, then run the build again: what was finished is kept.',
      about: { output: lines },
    });
  return new FailureError({
    reason: 'limit-exceeded',
    detail: `${who} used more ${words} than a build may: ${amount}.`,
    hint: `Mend the ref where that was not meant. Code that needs more: whoever runs Tributary can allow it, \`limits: {sandbox: {${name}: …}}\` in the configuration.`,
    about: { limit: name, allowed: amount, output: lines },
  });
}

const mebibytes = { bytes: 2 ** 20, name: ' MiB' };
const limitNames: Readonly<
  Record<keyof BuildLimits, { name: string; unit: typeof mebibytes; words: string }>
> = {
  memory: { name: 'memory-mib', unit: mebibytes, words: 'memory' },
  processes: { name: 'processes', unit: { bytes: 1, name: '' }, words: 'processes' },
  disk: { name: 'disk-mib', unit: mebibytes, words: 'disk' },
};

function lastLines(output: string): string[] {
  return output
    .trimEnd()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-30);
}

/** From buildah's `Error: building at STEP "RUN make": while running runtime: exit status 2`. */
function failedInstruction(output: string): string | undefined {
  const [, instruction, why] = /building at STEP "(.*)": (.*)$/m.exec(output) ?? [];
  if (instruction === undefined || why === undefined) return undefined;
  return `The image does not build: \`${instruction}\` ended with ${why.replace('while running runtime: ', '')}.`;
}

function hintFor(output: string, network: boolean): string {
  const asksNetwork =
    /dial tcp|network is unreachable|could not resolve|name resolution|lookup .* (on|:)|bad address/i;
  if (!network && asksNetwork.test(output))
    return 'The build has no network. Vendor what it downloads; or allow it: `network: true` for the image in product.yaml, and its name under `network` in the configuration.';
  if (/out of memory|signal: killed|exit status 137/i.test(output))
    return 'The build was killed, probably for lack of memory on the machine: build fewer steps at once (`limits.steps` in the configuration).';
  if (/can't fork|cannot fork|fork: resource temporarily unavailable/i.test(output))
    return 'It may have met its limit of processes: `limits: {sandbox: {processes: …}}` in the configuration.';
  if (/file too large|file size limit exceeded/i.test(output))
    return 'A file is larger than all that a build may write: `limits: {sandbox: {disk-mib: …}}` in the configuration.';
  return 'The last lines tell why; the whole output is in the log of this step. Mend the ref (or the Dockerfile), then ask again.';
}
