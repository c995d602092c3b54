import { type CommandOptions, run } from '../processes/command.ts';
import { hideSecrets } from '../processes/hide-secrets.ts';
import { authfileSecrets } from './authfile-secrets.ts';
import { RegistryTrouble } from './registry-trouble.ts';

/** Milliseconds without a byte after which a server counts as gone. */
const idleLimit = 30_000;

/**
 * Runs skopeo or buildah against a registry and gives what it printed; throws {@link RegistryTrouble}. `debug` is among its
 * arguments: both wait and try again by themselves, unseen, where a registry is overloaded, and say so only then. Waiting
 * is not theirs: they are ended, and the trouble is told.
 */
export async function runRegistryCommand(
  program: string,
  args: readonly string[],
  options: Omit<CommandOptions, 'onOutput'>,
): Promise<Buffer> {
  const waiting = new AbortController();
  const signal = options.signal
    ? AbortSignal.any([options.signal, waiting.signal])
    : waiting.signal;
  let line = '';
  const files = args.filter((_, index) => args[index - 1]?.endsWith('authfile'));
  const secrets = (await Promise.all(files.map(authfileSecrets))).flat();
  const result = await run(program, args, {
    idle: idleLimit,
    ...options,
    ...{ signal, secrets },
    onOutput: (text, stream) => {
      if (stream === 'stdout') return;
      const lines = (line + text).split('\n');
      line = (lines.pop() ?? '').slice(0, 64 * 1024);
      const trouble = lines
        .map((one) => ownWait(hideSecrets(one, secrets)))
        .find((found) => found !== undefined);
      if (trouble !== undefined) waiting.abort(trouble);
    },
  });
  if (result.timedOut) throw new RegistryTrouble('passing', 'it sends nothing any more');
  if (result.exitCode !== 0) throw RegistryTrouble.fromMessages(result.stderr);
  return result.stdout;
}

/** What a program says before it waits by itself. */
function ownWait(line: string): RegistryTrouble | undefined {
  const [, url, seconds] =
    /level=debug msg="Too many requests to (\S+): sleeping for ([\d.]+) seconds/.exec(line) ?? [];
  if (url !== undefined)
    return new RegistryTrouble('passing', `${url} answered 429`, Number(seconds) * 1000);
  if (/level=warning msg="Failed, retrying in /.test(line))
    return RegistryTrouble.fromMessages(line);
  return undefined;
}
