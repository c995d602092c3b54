import type { BuildChange, BuildEvent } from '../../builds/event.ts';
import { ChangeNumbers, type NumberedChange } from '../../builds/number-changes.ts';
import type { Tag } from '../../plan/names.ts';
import type { StepOutput } from '../../plan/plan.ts';
import type { BuildStore } from './store.ts';

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
  readonly #numbers = new ChangeNumbers();
  readonly #killed = new Set<string>();
  readonly #append: (changes: NumberedChange[]) => void;

  constructor(
    store: Pick<BuildStore, 'events' | 'append'>,
    build: { readonly tag: Tag; readonly attempt: number },
    now: () => Date,
    appended: (tag: Tag) => void,
  ) {
    for (const { event } of store.events(build.tag, 0)) {
      if (event.attempt !== build.attempt) continue;
      this.#learn(event);
      this.#numbers.next(event);
    }
    this.#append = (changes) => {
      store.append(build.tag, build.attempt, now().toISOString(), changes);
      appended(build.tag);
    };
  }

  /** Tells changes that belong together: all of them are kept, or none. */
  tell(...changes: BuildChange[]): void {
    const numbered = changes.flatMap((change) => {
      this.#learn(change);
      return this.#numbers.next(change) ?? [];
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

  #learn(change: BuildChange): void {
    switch (change.kind) {
      case 'started':
        this.started = true;
        break;
      case 'planned':
        this.planned = true;
        break;
      case 'cancel-requested':
        this.cancelRequested = true;
        break;
      case 'step-finished':
        this.finished.add(change.step);
        if (change.output) this.outputs.set(change.step, change.output);
        break;
      case 'step-failed':
        this.failed.add(change.step);
        if (change.step !== reportStep) this.failures.push(...change.failures);
        break;
      default:
    }
  }
}
