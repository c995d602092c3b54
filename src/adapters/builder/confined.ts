import type { Confined } from '../../steps/step.ts';
import { run, toolMissing } from '../processes/command.ts';
import { contained, privilege } from '../processes/sandbox.ts';

/** Milliseconds after which a confined program is ended. */
const patience = 5 * 60_000;

/**
 * {@link Confined}: the program has no network and no environment of ours, and ends with us. It sees the files
 * of the machine: it is for programs that we trust with them, on input that we do not.
 */
export function createConfined(timeout = patience): Confined {
  return {
    async run(program, args, { cwd, signal }) {
      const line = contained(privilege(), [program, ...args], { network: false });
      // A home of its own: settings of the user must not change what it makes.
      const env = { ...line.env, HOME: '/nonexistent' };
      const result = await run(line.program, line.args, { cwd, env, signal, timeout, grace: 0 });
      if (result.exitCode === 127 && result.stderr.startsWith('unshare: failed to execute'))
        throw toolMissing(program, 'it is not installed');
      return result;
    },
  };
}
