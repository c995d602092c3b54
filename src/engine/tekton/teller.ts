import { type BuildChange, type BuildEvent, eventId } from '../../builds/event.ts';
import type { Failure } from '../../builds/failure.ts';
import { ChangeNumbers } from '../../builds/number-changes.ts';
import { reportAlone } from '../../builds/planned-steps.ts';
import { isOver, type RunPlan, type TaskView } from './attempt-view.ts';

/** A change, and when it happened. */
export interface Dated {
  readonly at: string;
  readonly change: BuildChange;
}

/** Makes events of changes: each once, with its id. */
export class Teller {
  readonly events: BuildEvent[] = [];
  readonly failures: Failure[] = [];
  readonly #attempt: number;
  readonly #numbers = new ChangeNumbers();
  readonly #told = new Set<string>();
  readonly #over = new Set<string>();
  #last = '';

  constructor(attempt: number) {
    this.#attempt = attempt;
  }

  tell({ at, change: told }: Dated): void {
    const numbered = this.#numbers.next(told);
    if (numbered === undefined) return;
    const { change, sequence } = numbered;
    const attempt = this.#attempt;
    const id = eventId(attempt, change, sequence);
    if (this.#told.has(id)) return;
    this.#told.add(id);
    this.#learn(change);
    this.#last = later(at, this.#last);
    this.events.push({ ...change, id, at, attempt });
  }

  /** The same, not before anything that was told: times of the cluster are whole seconds. */
  tellAtLast({ at, change }: Dated): void {
    this.tell({ at: later(at, this.#last), change });
  }

  /** Steps that have no verdict; the report's alone where it is not `withReport`. */
  without(
    plan: RunPlan | undefined,
    tasks: readonly TaskView[],
    withReport: boolean,
  ): readonly string[] {
    const planned = plan?.steps.map(({ id }) => id) ?? [];
    const prepareFailed = tasks.some(({ task }) => task.task === 'prepare' && isOver(task));
    const report = plan === undefined && prepareFailed ? [reportAlone.id] : [];
    return ['prepare', ...planned, ...report].filter(
      (step) => !this.#over.has(step) && (withReport || step !== reportAlone.id),
    );
  }

  #learn(change: BuildChange): void {
    if (change.kind === 'step-finished' || change.kind === 'step-skipped')
      this.#over.add(change.step);
    if (change.kind !== 'step-failed') return;
    this.#over.add(change.step);
    if (change.step !== reportAlone.id) this.failures.push(...change.failures);
  }
}

/** The later of two times. */
export function later(one: string, other: string | undefined): string {
  return other !== undefined && compare(one, other) < 0 ? other : one;
}

/** The order of two times, which are all written alike. */
export function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
