import { type BuildChange, type BuildEvent, isRepeated } from '../../builds/event.ts';
import type { Tag } from '../../plan/names.ts';
import type { StepOutput } from '../../plan/plan.ts';
import type { BuildStore } from './store.ts';

/** Lines of progress and retries kept of one step; more would say nothing new. */
const maxProgress = 500;
const maxProgressText = 500;

/** Id of the step that keeps the record. */
export const reportStep = 'report';

/**
 * The events of one attempt as its runner sees them: what was told by an earlier process is known, and told
 * once. Each change is on the disk before the next thing happens.
 */
export class AttemptLog {
  readonly outputs = new Map<string, StepOutput>();
  readonly finished = new Set<string>();
  readonly failed = new Set<string>();
  /** Of all steps but the report: it keeps what came of the others, and decides nothing. */
  readonly failures: Extract<BuildEvent, { kind: 'step-failed' }>['failures'][number][] = [];
  planned = false;
  started = false;
  cancelRequested = false;
  readonly #repeated = new Map<string, number>();
  readonly #killed = new Set<string>();
  readonly #append: (changes: { change: BuildChange; sequence: number }[]) => void;

  constructor(
    store: Pick<BuildStore, 'events' | 'append'>,
    build: { readonly tag: Tag; readonly attempt: number },
    now: () => Date,
    appended: (tag: Tag) => void,
  ) {
    for (const { event } of store.events(build.tag, 0)) {
      if (event.attempt === build.attempt) this.#learn(event);
    }
    this.#append = (changes) => {
      store.append(build.tag, build.attempt, now().toISOString(), changes);
      appended(build.tag);
    };
  }

  /** Tells changes that belong together: all of them are kept, or none. */
  tell(...changes: BuildChange[]): void {
    const numbered = changes.flatMap((change) => {
      const sequence = this.#learn(change);
      if (sequence >= maxProgress) return [];
      return [{ change: shortened(change), sequence }];
    });
    if (numbered.length > 0) this.#append(numbered);
  }

  /** Whether a step has its verdict. */
  isOver(step: string): boolean {
    return this.finished.has(step) || this.failed.has(step);
  }

  /** Whether a step whose process was killed may be begun once more: true at the first call for it. */
  mayBeginAgain(step: string): boolean {
    if (this.#killed.has(step)) return false;
    this.#killed.add(step);
    return true;
  }

  /** Takes a change into account; the number of what a step tells many times, 0 for everything else. */
  #learn(change: BuildChange): number {
    if (isRepeated(change)) {
      const count = this.#repeated.get(change.step) ?? 0;
      this.#repeated.set(change.step, count + 1);
      return count;
    }
    switch (change.kind) {
      case 'started':
        this.started = true;
        return 0;
      case 'planned':
        this.planned = true;
        return 0;
      case 'cancel-requested':
        this.cancelRequested = true;
        return 0;
      case 'step-finished':
        this.finished.add(change.step);
        if (change.output) this.outputs.set(change.step, change.output);
        return 0;
      case 'step-failed':
        this.failed.add(change.step);
        if (change.step !== reportStep) this.failures.push(...change.failures);
        return 0;
      default:
        return 0;
    }
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
