import type { Failure } from '../../builds/failure.ts';
import { harmless } from '../../steps/log-file.ts';
import { type DatedMessage, parseTaskLine } from '../../steps/task-output.ts';
import { type BeliefOptions, believing } from '../../steps/unit/believe-messages.ts';

/** Lines that are left out and shown all the same, and their characters. */
const [shown, width] = [10, 300];

export interface HeardLinesOptions extends BeliefOptions {
  /** A line of the log of one of the steps. */
  readonly log: (step: string, line: string) => void;
}

/** What a container printed, as far as it is believed: messages and logs of its own steps, each bounded. What is left out is counted. */
export class HeardLines {
  readonly messages: DatedMessage[] = [];
  /** Why it ended, where that was before a step could say so. */
  failures: readonly Failure[] | undefined;
  readonly #options: HeardLinesOptions;
  readonly #believe: (message: DatedMessage) => DatedMessage | undefined;
  readonly #leftOut: string[] = [];
  #count = 0;

  constructor(options: HeardLinesOptions) {
    this.#options = options;
    this.#believe = believing(options);
  }

  /** Takes a line; true where it told something that is believed, beside logs. */
  take(line: string): boolean {
    const told = parseTaskLine(line);
    if (told?.kind === 'log' && this.#options.steps.includes(told.step)) {
      this.#options.log(told.step, `${told.text}\n`);
      return false;
    }
    if (told?.kind === 'failed' && this.#options.verdicts) {
      this.failures = told.failures;
      return true;
    }
    const message = told?.kind === 'message' ? this.#believe(told.message) : undefined;
    if (message === undefined) this.#leaveOut(line);
    else this.messages.push(message);
    return message !== undefined;
  }

  /** How many lines are left out, and the last of them; undefined: none. */
  describeLeftOut(): string | undefined {
    if (this.#count === 0) return undefined;
    const lines = this.#leftOut.map((line) => `  ${line}\n`).join('');
    return `[${this.#count} line(s) are no log of these steps, or tell too much of them, and are left out; the last:]\n${lines}`;
  }

  #leaveOut(line: string): void {
    this.#count += 1;
    this.#leftOut.push(harmless(line.slice(0, width)).trimEnd());
    if (this.#leftOut.length > shown) this.#leftOut.shift();
  }
}
