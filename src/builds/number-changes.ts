import { type BuildChange, isRepeated } from './event.ts';

/** Lines of progress and retries kept of one step; more would say nothing new. */
const maxProgress = 500;
const maxProgressText = 500;

/** A change with the number that tells progress lines of a step apart (0 for everything else). */
export interface NumberedChange {
  readonly change: BuildChange;
  readonly sequence: number;
}

/** Numbers what the steps of one attempt tell many times: the same changes in the same order have the same numbers, whoever counts. */
export class ChangeNumbers {
  readonly #told = new Map<string, number>();

  /** The change with its number, and shortened; undefined where there were too many of its kind. */
  next(change: BuildChange): NumberedChange | undefined {
    if (!isRepeated(change)) return { change, sequence: 0 };
    const sequence = this.#told.get(change.step) ?? 0;
    this.#told.set(change.step, sequence + 1);
    return sequence < maxProgress ? { change: shortened(change), sequence } : undefined;
  }
}

function shortened(change: BuildChange): BuildChange {
  switch (change.kind) {
    case 'step-progress':
      return { ...change, text: change.text.slice(0, maxProgressText) };
    case 'step-retrying':
      return { ...change, why: change.why.slice(0, maxProgressText) };
    default:
      return change;
  }
}
