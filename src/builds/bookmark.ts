import { createHash } from 'node:crypto';
import { type BuildEvent, isRepeated } from './event.ts';

/** What was told of one step: which of its changes (bits), and how many of those that a step may tell many times. */
interface Mark {
  changes: number;
  repeated: number;
}

/**
 * Which events of a build a reader was told, as a short text that it sends back to be told the rest, by whomever: what happens in several pods at once is told
 * in another order by every replica, so the last event alone does not say what was told before it. Of each step only how far it was told is kept, as
 * everybody tells what one step says in the same order; steps are known by their place in the plan.
 *
 * `ATTEMPT.BEGUN.BUILD.PLAN.STEPS`: attempts before that one were told whole; BEGUN (milliseconds, base 36) tells it from one of a run that was removed; BUILD: bits
 * of what was told of the build; PLAN: which plan; STEPS: prepare, then the steps of the plan, as {@link renderMarks} writes them.
 */
export class Bookmark {
  #attempt = 0;
  #begun = 0;
  #build = 0;
  #plan = '';
  #marks: Mark[] = [];
  #places: ReadonlyMap<string, number> = placesOf([]);

  /** What a reader sent back; of what is no bookmark, that nothing was told. */
  constructor(text = '') {
    const [, attempt, begun, build, plan = '', steps = ''] = form.exec(text) ?? [];
    const marks = parseMarks(steps);
    if (attempt === undefined || begun === undefined || build === undefined || !marks) return;
    this.#attempt = Number(attempt);
    this.#begun = Number.parseInt(begun, 36);
    this.#build = Number.parseInt(build, 16);
    this.#plan = plan;
    this.#marks = marks;
  }

  /** Marks an event as told; false where it was told before. All events are shown to it, from the first one on. */
  tell(event: BuildEvent): boolean {
    const { attempt } = event;
    if (event.kind === 'queued' && this.#isOfAnother(event)) this.#attempt = 0;
    if (attempt < this.#attempt) return false;
    if (attempt > this.#attempt) this.#beginAttempt(attempt);
    if (event.kind === 'queued') this.#begun = Date.parse(event.at);
    if (event.kind === 'planned') this.#learnPlan(event.steps.map(({ id }) => id));
    if ('step' in event) return this.#tellOfStep(event);
    const bit = 1 << buildChanges.indexOf(event.kind);
    const told = (this.#build & bit) !== 0;
    this.#build |= bit;
    return !told;
  }

  toString(): string {
    const begun = this.#begun.toString(36);
    const build = this.#build.toString(16);
    return `${this.#attempt}.${begun}.${build}.${this.#plan}.${renderMarks(this.#marks)}`;
  }

  /** Whether the attempt is none of those that were told: it has the number of one whose run was removed. */
  #isOfAnother({ attempt, at }: BuildEvent): boolean {
    const begun = Date.parse(at);
    return attempt < this.#attempt
      ? begun > this.#begun
      : attempt === this.#attempt && begun !== this.#begun;
  }

  #beginAttempt(attempt: number): void {
    this.#attempt = attempt;
    this.#build = 0;
    this.#plan = '';
    this.#marks = [];
    this.#places = placesOf([]);
  }

  #learnPlan(steps: readonly string[]): void {
    const plan = createHash('sha256').update(JSON.stringify(steps)).digest('hex').slice(0, 6);
    if (plan !== this.#plan) {
      // Of another plan nothing was told but how it was made.
      this.#build &= ~(1 << buildChanges.indexOf('planned'));
      this.#marks = this.#marks.slice(0, 1);
    }
    this.#plan = plan;
    this.#places = placesOf(steps);
  }

  #tellOfStep(event: Extract<BuildEvent, { step: string }>): boolean {
    const place = this.#places.get(event.step);
    // Better twice than never.
    if (place === undefined) return true;
    while (this.#marks.length <= place) this.#marks.push({ changes: 0, repeated: 0 });
    const mark = this.#marks[place] as Mark;
    const before = { ...mark };
    if (isRepeated(event)) mark.repeated = Math.max(mark.repeated, numberOf(event) + 1);
    else mark.changes |= 1 << stepChanges.indexOf(event.kind);
    return mark.changes !== before.changes || mark.repeated !== before.repeated;
  }
}

/** Their order is part of bookmarks that readers keep. */
const buildChanges: readonly BuildEvent['kind'][] = [
  ...(['queued', 'started', 'planned', 'cancel-requested'] as const),
  ...(['succeeded', 'failed', 'cancelled', 'expired'] as const),
];
const stepChanges: readonly BuildEvent['kind'][] = [
  ...(['step-started', 'step-finished', 'step-failed', 'step-skipped'] as const),
];

const form = /^(\d{1,9})\.([0-9a-z]{1,10})\.([0-9a-f]{1,2})\.([0-9a-f]{6})?\.([0-9a-p-]*)$/;

function placesOf(steps: readonly string[]): ReadonlyMap<string, number> {
  return new Map(['prepare', ...steps].map((step, place) => [step, place]));
}

/** `progress.7` is the eighth that its step told. */
function numberOf({ id }: BuildEvent): number {
  return Number(id.slice(id.lastIndexOf('.') + 1));
}

/** `3d-b2`: three steps with the changes `d` (`a` are none), then one with the changes `b` that told two things of those that may be told many times. */
function renderMarks(marks: readonly Mark[]): string {
  const texts = marks.map(
    ({ changes, repeated }) => `${String.fromCharCode(firstLetter + changes)}${repeated || ''}`,
  );
  const runs: { text: string; length: number }[] = [];
  for (const text of texts) {
    const last = runs.at(-1);
    if (last?.text === text) last.length += 1;
    else runs.push({ text, length: 1 });
  }
  return runs.map(({ text, length }) => `${length > 1 ? length : ''}${text}`).join('-');
}

/** Undefined where these are none. */
function parseMarks(text: string): Mark[] | undefined {
  const marks: Mark[] = [];
  for (const part of text === '' ? [] : text.split('-')) {
    const [, length, letter, repeated] = /^(\d*)([a-p])(\d{0,3})$/.exec(part) ?? [];
    if (letter === undefined) return undefined;
    const mark = { changes: letter.charCodeAt(0) - firstLetter, repeated: Number(repeated) };
    const many = Number(length || 1);
    if (marks.length + many > mostSteps) return undefined;
    for (let place = 0; place < many; place += 1) marks.push({ ...mark });
  }
  return marks;
}

const firstLetter = 'a'.charCodeAt(0);
/** No plan has as many. */
const mostSteps = 10_000;
