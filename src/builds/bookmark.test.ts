import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bookmark } from './bookmark.ts';
import { type BuildChange, type BuildEvent, eventId } from './event.ts';

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString();
const images = Array.from({ length: 5 }, (_, index) => `image/${index}`);

function events(changes: readonly BuildChange[], attempt = 1, begun = attempt): BuildEvent[] {
  const counts = new Map<string, number>();
  return changes.map((change) => {
    const step = 'step' in change ? change.step : '';
    const repeated = change.kind === 'step-progress' || change.kind === 'step-retrying';
    const sequence = repeated ? (counts.get(step) ?? 0) : 0;
    if (repeated) counts.set(step, sequence + 1);
    return { ...change, attempt, id: eventId(attempt, change, sequence), at: at(begun) };
  });
}

const planned: BuildChange = {
  kind: 'planned',
  steps: [...images, 'report'].map((id) => ({ id, kind: 'image', needs: [], weight: 1 })),
  patches: [],
};
const before: BuildChange[] = [
  { kind: 'queued' },
  { kind: 'started' },
  { kind: 'step-started', step: 'prepare' },
  planned,
  { kind: 'step-finished', step: 'prepare', output: null },
];
const after: BuildChange[] = [
  { kind: 'step-started', step: 'report' },
  { kind: 'step-finished', step: 'report', output: null },
  { kind: 'succeeded' },
];

/** What a step tells, with so many lines of progress and retries. */
function ofStep(step: string, lines: readonly boolean[], ends: boolean): BuildChange[] {
  const retry = { what: 'registry', why: 'away', retry: 1, seconds: 1 };
  return [
    { kind: 'step-started', step },
    ...lines.map((progress): BuildChange => {
      return progress
        ? { kind: 'step-progress', step, text: 'compiling' }
        : { kind: 'step-retrying', step, ...retry };
    }),
    ends ? { kind: 'step-finished', step, output: null } : { kind: 'step-skipped', step },
  ];
}

/** Some order of what several pods tell; that of each pod stays. */
function interleaved(
  pods: readonly (readonly BuildEvent[])[],
  choices: readonly number[],
): BuildEvent[] {
  const rest = pods.map((pod) => [...pod]);
  const all: BuildEvent[] = [];
  for (let turn = 0; rest.some((pod) => pod.length > 0); turn += 1) {
    const open = rest.filter((pod) => pod.length > 0);
    const next = open[(choices[turn % choices.length] ?? 0) % open.length]?.shift();
    if (next !== undefined) all.push(next);
  }
  return all;
}

/** What a reader hears of a replica from `id` on, at most so many events, and the id it has then. */
function hear(told: readonly BuildEvent[], id: string | undefined, most = Infinity) {
  const bookmark = new Bookmark(id);
  const heard: BuildEvent[] = [];
  let last = id;
  for (const event of told) {
    if (heard.length === most) break;
    if (!bookmark.tell(event)) continue;
    heard.push(event);
    last = bookmark.toString();
  }
  return { heard, id: last };
}

const idsOf = (all: readonly BuildEvent[]) => all.map(({ id }) => id);
const ofSubject = (all: readonly BuildEvent[], subject: string) =>
  idsOf(all).filter((id) => id.startsWith(`1/${subject}/`));

const choices = fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 });

describe('whoever resumes', () => {
  test('misses nothing and hears nothing twice, however each replica interleaves what pods tell and wherever it was cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.array(fc.boolean(), { maxLength: 6 }), fc.boolean()), {
          ...{ minLength: images.length, maxLength: images.length },
        }),
        fc.array(fc.tuple(choices, fc.nat(15)), { minLength: 1, maxLength: 6 }),
        choices,
        (scripts, cuts, lastOrder) => {
          const pods = scripts.map(([lines, ends], index) =>
            events(ofStep(images[index] ?? '', lines, ends)),
          );
          const replica = (order: readonly number[]) => [
            ...events(before),
            ...interleaved(pods, order),
            ...events(after),
          ];
          const all: BuildEvent[] = [];
          let id: string | undefined;
          for (const [order, length] of [...cuts, [lastOrder, Infinity] as const]) {
            const part = hear(replica(order), id, length);
            all.push(...part.heard);
            id = part.id;
          }
          expect(idsOf(all).toSorted()).toEqual(idsOf(replica([0])).toSorted());
          for (const [index, pod] of pods.entries())
            expect(ofSubject(all, images[index] ?? '')).toEqual(idsOf(pod));
          expect(hear(replica([1]), id).heard).toEqual([]);
        },
      ),
    );
  });

  const first = [...events(before), ...events([{ kind: 'cancelled' }])];

  test('hears every attempt after the one it knows, and of that the rest', () => {
    const second = events(before, 2);
    const { id } = hear(first, undefined, 3);
    expect(idsOf(hear([...first, ...second], id).heard)).toEqual(
      idsOf([...first.slice(3), ...second]),
    );
    const later = hear([...first, ...second], undefined, first.length + 1).id;
    expect(hear([...first, ...second], later).heard).toEqual(second.slice(1));
    // The run of the first attempt is pruned.
    expect(hear(second, later).heard).toEqual(second.slice(1));
  });

  test.for([1, 2])(
    'hears all of a run that took the place of one that was removed in attempt %i',
    (attempt) => {
      const { id } = hear([...first, ...events(before, 2).slice(0, attempt - 1)], undefined);
      const anew = events(before, 1, 100);
      expect(hear(anew, id).heard).toEqual(anew);
    },
  );

  test('hears all steps of a plan that is not the one it knows', () => {
    const { id } = hear([...first.slice(0, 5), ...events(ofStep('image/0', [], true))], undefined);
    const other: BuildChange = { ...planned, steps: planned.steps.slice(-1) } as BuildChange;
    const told = events([...before.slice(0, 3), other, ...before.slice(4), ...after]);
    expect(idsOf(hear(told, id).heard)).toEqual(['1/build/planned', ...idsOf(events(after))]);
  });

  test.for([
    '1/build/queued',
    'x',
    '1.2.3',
    '1.0.0..999999999999a',
    '1.0.0..b1234',
    '1.0.zz..',
    '🙂',
  ])('hears everything where it sends what is no bookmark: %s', (id) =>
    expect(hear(first, id).heard).toEqual(first),
  );
});

test('a bookmark of 300 steps that are all being made fits a header', () => {
  const many = Array.from({ length: 300 }, (_, index) => `image/number-${index}`);
  const steps = many.map((id) => ({ id, kind: 'image', needs: [], weight: 1 }) as const);
  const running = many.flatMap((step, index) =>
    ofStep(step, Array(index % 101).fill(true), true).slice(0, -1),
  );
  const { id = '' } = hear(
    events([...before.slice(0, 3), { ...planned, steps }, ...running]),
    undefined,
  );
  expect(id.length).toBeLessThan(2000);
  expect(id).toMatch(/^[\w.-]+$/);
});
