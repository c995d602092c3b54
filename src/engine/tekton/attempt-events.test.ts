import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Bookmark } from '../../builds/bookmark.ts';
import type { BuildChange, BuildEvent } from '../../builds/event.ts';
import type { DatedMessage } from '../../steps/task-output.ts';
import { attemptEvents } from './attempt-events.ts';
import type { AttemptView, RunPlan, TaskView } from './attempt-view.ts';
import type { ClusterRun, ClusterTask, Condition } from './cluster.ts';
import { cancelAnnotation } from './run-names.ts';

/** Second `n` of the build. */
const at = (n: number, ms = 0) => new Date(Date.UTC(2026, 0, 1, 0, 0, n, ms)).toISOString();

const yes: Condition = { status: 'True', reason: 'Succeeded', message: '' };
const no = (reason: string, message = ''): Condition => ({ status: 'False', reason, message });

const plan: RunPlan = {
  steps: ['payload/one', 'image/a', 'image/b', 'bundle', 'report'].map((id) => ({
    ...{ id, kind: id.split('/')[0] as 'image', needs: ['prepare'], weight: 1 },
  })),
  patches: [],
  units: { payload: ['payload/one'], '000': ['image/a'], '001': ['image/b'] },
};

function run(changes: Partial<ClusterRun> = {}): ClusterRun {
  return {
    ...{ name: 'build-operator-bundle-0000000', uid: 'u', resourceVersion: '1' },
    ...{ labels: {}, annotations: {}, tasks: [], asked: undefined, condition: undefined },
    ...{ createdAt: at(0), startedAt: at(1), completedAt: undefined },
    ...changes,
  };
}

/** A task that told `messages`; over at second `end`, where that is given. */
function task(
  name: string,
  messages: readonly DatedMessage[],
  end?: number,
  condition: Condition = yes,
  more: Partial<ClusterTask & Pick<TaskView, 'trouble' | 'failures'>> = {},
): TaskView {
  const [kind = '', number] = name.split('-');
  const unit = number ?? (kind === 'payload' ? kind : undefined);
  return {
    task: {
      ...{ name: `run-${name}`, task: kind, unit, pod: `run-${name}-pod`, createdAt: at(1) },
      ...{ startedAt: at(1), completedAt: end === undefined ? undefined : at(end) },
      ...{ condition: end === undefined ? undefined : condition, results: {}, steps: [] },
      ...{ retries: 0, ...more },
    },
    messages,
    final: end !== undefined,
    trouble: more.trouble,
    failures: more.failures ?? [],
    lastLines: () => ['the last line'],
  };
}

const started = (step: string, n: number): DatedMessage => ({
  kind: 'step-started',
  step,
  at: at(n),
});
const finished = (step: string, n: number): DatedMessage => ({
  ...{ kind: 'step-finished', step, output: null, at: at(n) },
});
const failedStep = (step: string, n: number): DatedMessage => ({
  ...{ kind: 'step-failed', step, at: at(n) },
  failures: [{ reason: 'image-build-failed', detail: 'It failed.', hint: 'Mend it.' }],
});
const whole = (step: string, n: number) => [started(step, n), finished(step, n + 1)];

const prepare = task('prepare', whole('prepare', 2), 4);
const report = task('report', whole('report', 30), 32, yes, { createdAt: at(29) });
const units = [
  task('payload', whole('payload/one', 6), 8),
  task('images-000', whole('image/a', 5), 9),
  task('images-001', whole('image/b', 8), 11),
];
const assemble = task('assemble', whole('bundle', 20), 22);
const over = run({ completedAt: at(33), condition: yes });

function view(changes: Partial<AttemptView>): AttemptView {
  return { attempt: 1, queuedAt: at(0), run: run(), plan, tasks: [], complete: true, ...changes };
}

function told(changes: Partial<AttemptView>): string[] {
  return attemptEvents(view(changes)).map(({ id }) => id.slice('1/'.length));
}

function ofKind<Kind extends BuildChange['kind']>(changes: Partial<AttemptView>, kind: Kind) {
  return attemptEvents(view(changes)).flatMap((event) =>
    event.kind === kind ? [event as unknown as Extract<BuildChange, { kind: Kind }>] : [],
  );
}

/** What a replica tells that sees these, one after the other. */
function tellAll(looks: readonly Partial<AttemptView>[]): readonly BuildEvent[] {
  const told = new Map<string, BuildEvent>();
  for (const look of looks)
    for (const event of attemptEvents(view(look)))
      if (!told.has(event.id)) told.set(event.id, event);
  return [...told.values()];
}

/** What a step tells whose lines have these times. */
function scriptOf(
  step: string,
  lines: readonly { readonly progress: boolean; readonly second: number }[],
): readonly DatedMessage[] {
  const retry = {
    kind: 'step-retrying',
    what: 'registry',
    why: 'away',
    retry: 1,
    seconds: 1,
  } as const;
  const told = lines.map(({ progress, second }): DatedMessage => {
    const line = progress ? ({ kind: 'step-progress', text: `${second}` } as const) : retry;
    return { ...line, step, at: at(second) };
  });
  return [started(step, 5), ...told, finished(step, 10)];
}

/** What somebody hears who moves on to the next replica after so many events. */
function heardFrom(
  replicas: readonly { readonly events: readonly BuildEvent[]; readonly heard: number }[],
): readonly BuildEvent[] {
  const all: BuildEvent[] = [];
  let id = '';
  for (const { events, heard } of replicas) {
    const bookmark = new Bookmark(id);
    const until = all.length + heard;
    for (const event of events) if (all.length < until && bookmark.tell(event)) all.push(event);
    id = bookmark.toString();
  }
  return all;
}

const ofStep = (events: readonly BuildEvent[], step: string) =>
  events.filter((event) => 'step' in event && event.step === step);

const steps = (...ids: string[]) =>
  ids.flatMap((id) => [`${id}/step-started`, `${id}/step-finished`]);

describe('the events of an attempt', () => {
  test('say of no step that it failed whose task succeeded, whoever told so', () => {
    const forged = task('images-000', [started('image/a', 5), failedStep('image/a', 6)], 9);
    expect(
      told({ run: over, tasks: [prepare, forged, assemble, report] }).filter((id) =>
        id.includes('image/a'),
      ),
    ).toEqual(steps('image/a'));
  });

  test('are those of its tasks in the order of stages, and of times within one', () => {
    expect(told({ run: over, tasks: [report, assemble, ...units, prepare] })).toEqual([
      'build/queued',
      'build/started',
      'prepare/step-started',
      'build/planned',
      'prepare/step-finished',
      'image/a/step-started',
      'image/a/step-finished',
      'payload/one/step-started',
      'payload/one/step-finished',
      'image/b/step-started',
      'image/b/step-finished',
      ...steps('bundle', 'report'),
      'build/succeeded',
    ]);
  });

  test('keep the order of stages where the clocks of nodes do not', () => {
    const early = task('assemble', whole('bundle', 0), 22);
    const ids = told({ run: over, tasks: [prepare, ...units, early, report] });
    expect(ids.indexOf('bundle/step-started')).toBeGreaterThan(
      ids.indexOf('image/b/step-finished'),
    );
  });

  test('grow, whatever becomes known when, and nothing that was told moves', () => {
    const growing: Partial<AttemptView>[] = [
      {},
      { tasks: [task('prepare', [started('prepare', 2)])], plan: undefined },
      { tasks: [task('prepare', whole('prepare', 2))], plan: undefined },
      { tasks: [prepare] },
      { tasks: [prepare, task('images-000', [started('image/a', 5)])] },
      { tasks: [prepare, ...units] },
      { tasks: [prepare, ...units, assemble] },
      { tasks: [prepare, ...units, assemble, task('report', [started('report', 30)])] },
      { tasks: [prepare, ...units, assemble, report], run: over },
    ];
    const all = told(growing.at(-1) ?? {});
    for (const one of growing) {
      const ids = told(one);
      // Of what is told at once the others may come between; each is there in the end.
      expect(all.filter((id) => ids.includes(id))).toEqual(ids);
    }
  });

  test('are all heard, each once and those of a step in their order, by who moves between replicas that know more of one pod or of another', () => {
    const message = fc.record({ progress: fc.boolean(), second: fc.nat(20) });
    const pod = fc.array(message, { maxLength: 5 });
    /** How much of each pod a replica knows, look after look. */
    const looks = fc.array(fc.tuple(fc.nat(8), fc.nat(8)), { minLength: 1, maxLength: 5 });
    const part = fc.record({ looks, heard: fc.nat(12) });
    fc.assert(
      fc.property(pod, pod, fc.array(part, { maxLength: 5 }), (a, b, parts) => {
        const scripts = [scriptOf('image/a', a), scriptOf('image/b', b)];
        const look = (known: readonly number[]): Partial<AttemptView> => ({
          tasks: [
            prepare,
            ...scripts.map((script, index) => {
              const most = known[index] ?? 0;
              const end = most > script.length ? 12 : undefined;
              return task(`images-00${index}`, script.slice(0, most), end);
            }),
          ],
        });
        const end: Partial<AttemptView> = {
          tasks: [...(look([99, 99]).tasks ?? []), assemble, report],
          run: over,
        };
        const all = heardFrom(
          [...parts, { looks: [], heard: Infinity }].map(({ looks: seen, heard }) => ({
            events: tellAll([...seen.map(look), end]),
            heard,
          })),
        );
        const whole = attemptEvents(view(end));
        expect(all.map((event) => event.id).toSorted()).toEqual(
          whole.map((event) => event.id).toSorted(),
        );
        for (const step of ['image/a', 'image/b'])
          expect(ofStep(all, step)).toEqual(ofStep(whole, step));
      }),
    );
  });

  test('keep the order of what one task tells, whatever times it says', () => {
    const back = task('images-000', [started('image/a', 9), finished('image/a', 3)], 10);
    const other = task('images-001', whole('image/b', 5), 10);
    expect(told({ tasks: [prepare, back, other] }).slice(-4)).toEqual([
      ...steps('image/b'),
      ...steps('image/a'),
    ]);
  });

  test('tell a failed step when its task is over, for it may be begun again until then', () => {
    const messages = [started('image/a', 5), failedStep('image/a', 6)];
    expect(told({ tasks: [prepare, task('images-000', messages)] })).not.toContain(
      'image/a/step-failed',
    );
    expect(told({ tasks: [prepare, task('images-000', messages, 7, no('Failed'))] })).toContain(
      'image/a/step-failed',
    );
  });

  test('skip what never ran, before the report, and fail with the failures of the steps', () => {
    const bad = task(
      'images-000',
      [started('image/a', 5), failedStep('image/a', 6)],
      7,
      no('Failed'),
    );
    const failed = run({ completedAt: at(33), condition: no('Failed') });
    const tasks = [prepare, bad, report];
    const ids = told({ run: failed, tasks });
    expect(ids.slice(-6)).toEqual([
      'payload/one/step-skipped',
      'image/b/step-skipped',
      'bundle/step-skipped',
      ...steps('report'),
      'build/failed',
    ]);
    expect(ofKind({ run: failed, tasks }, 'failed')[0]?.failures).toMatchObject([
      { reason: 'image-build-failed' },
    ]);
  });

  test('a record that the last task keeps is the last of its steps, and needs no task of its own', () => {
    const keeping = task('assemble', [...whole('bundle', 20), ...whole('report', 22)], 24);
    const ids = told({ run: over, tasks: [prepare, ...units, keeping] });
    expect(ids.slice(-5)).toEqual([...steps('bundle', 'report'), 'build/succeeded']);
    const lost = task('assemble', [], 24);
    expect(told({ run: over, tasks: [prepare, ...units, lost] }).toSorted()).toEqual(
      ids.toSorted(),
    );
  });

  test('where the last task was ended while it kept the record, the report decides nothing either', () => {
    const failed = run({ completedAt: at(33), condition: no('Failed') });
    const messages = [...whole('bundle', 20), started('report', 22)];
    const ended = task('assemble', messages, 24, no('TaskRunImagePullFailed'));
    const ids = told({ run: failed, tasks: [prepare, ...units, ended, report] });
    expect(ids.filter((id) => id.startsWith('report/'))).toContain('report/step-finished');
    expect(ids.at(-1)).toBe('build/succeeded');
    const silent = task('assemble', [started('bundle', 20)], 24, no('Failed'));
    expect(told({ run: failed, tasks: [prepare, ...units, silent, report] }).at(-1)).toBe(
      'build/failed',
    );
  });

  test.for([
    [no('TaskRunTimeout'), {}, 'step-timeout', 'timeout-minutes'],
    [no('Failed', '"step-run" exited: OOMKilled'), {}, 'step-crashed', 'limits: {memory'],
    [
      no('Failed', 'pod failed'),
      { trouble: 'Evicted; low on resource' },
      'step-crashed',
      'kubectl describe taskrun',
    ],
    [no('TaskRunImagePullFailed', 'cannot pull'), {}, 'run-refused', 'tekton: {image'],
  ] as const)(
    'say what became of a pod that ended without a word: %s',
    ([condition, more, reason, hint]) => {
      const lost = task('images-000', [started('image/a', 5)], 7, condition, more);
      const [failed] = ofKind({ tasks: [prepare, lost] }, 'step-failed');
      expect(failed).toMatchObject({
        step: 'image/a',
        failures: [{ reason, hint: expect.stringContaining(hint) }],
      });
      expect(failed?.failures[0]?.about?.['last lines']).toEqual(['the last line']);
    },
  );

  test('of a container that was ended for its memory, say what gives that very one more', () => {
    const hintOf = (name: string) => {
      const condition = no('StepOOM');
      const lost = task('images-000', [started('image/a', 5)], 7, condition);
      const ended = { name, container: name, state: 'terminated', reason: 'OOMKilled' } as const;
      const steps = [{ ...ended, exitCode: 137, startedAt: at(5) }];
      const view = { ...lost, task: { ...lost.task, steps } };
      return ofKind({ tasks: [prepare, view] }, 'step-failed')[0]?.failures[0]?.hint;
    };
    expect(hintOf('run')).toContain('tekton: {tasks: {images: {limits');
    expect(hintOf('push')).toContain('step `push` of the Task tributary-unit');
  });

  test('say what a container said of its own end, where no step could', () => {
    const failures = [
      { reason: 'registry-unavailable', detail: 'It is away.', hint: 'Wait.' },
    ] as const;
    const lost = task(
      'images-000',
      [started('image/a', 5)],
      7,
      no('Failed', 'exited with code 4'),
      {
        failures,
      },
    );
    const [failed] = ofKind({ tasks: [prepare, lost] }, 'step-failed');
    expect(failed).toMatchObject({ step: 'image/a', failures });
  });

  test('blame the step whose turn it was, where none had begun', () => {
    const lost = task('images-001', [], 7, no('Failed', 'the pod was deleted'));
    expect(told({ tasks: [prepare, lost] }).slice(-2)).toEqual([
      'image/b/step-started',
      'image/b/step-failed',
    ]);
  });

  test('a failed prepare is followed by the report alone', () => {
    const bad = task('prepare', [started('prepare', 2), failedStep('prepare', 3)], 4, no('Failed'));
    const failed = run({ completedAt: at(33), condition: no('Failed') });
    expect(told({ run: failed, plan: undefined, tasks: [bad, report] }).slice(2)).toEqual([
      'prepare/step-started',
      'prepare/step-failed',
      'build/planned',
      ...steps('report'),
      'build/failed',
    ]);
  });

  test('a report decides nothing', () => {
    const bad = task('report', [started('report', 30)], 32, no('Failed'), { createdAt: at(29) });
    const failed = run({ completedAt: at(33), condition: no('Failed') });
    const ids = told({ run: failed, tasks: [prepare, ...units, assemble, bad] });
    expect(ids.slice(-2)).toEqual(['report/step-failed', 'build/succeeded']);
  });

  test.for([
    [{ asked: 'Cancelled', completedAt: at(8), condition: no('Cancelled') }, []],
    // Somebody did it without us, and let the report run: it is not told.
    [{ asked: 'CancelledRunFinally' }, [report]],
  ] as const)(
    'a cancelled build is over when nothing of it runs but a report: %j',
    ([end, more]) => {
      const cut = task('images-000', [started('image/a', 5)], 7, no('TaskRunCancelled'));
      const annotations = { [cancelAnnotation]: at(6) };
      const asked = run({ asked: end.asked, annotations });
      expect(told({ run: asked, tasks: [prepare, cut] })).not.toContain('build/cancelled');
      const ids = told({ run: run({ ...end, annotations }), tasks: [prepare, cut, ...more] });
      expect(ids.slice(-8)).toEqual([
        'image/a/step-started',
        'build/cancel-requested',
        'payload/one/step-skipped',
        'image/a/step-skipped',
        'image/b/step-skipped',
        'bundle/step-skipped',
        'report/step-skipped',
        'build/cancelled',
      ]);
    },
  );

  test('a run that was never begun fails with what the cluster says', () => {
    const refused = run({
      completedAt: at(2),
      condition: no('CouldntGetPipeline', 'pipelines.tekton.dev "tributary" not found'),
    });
    expect(ofKind({ run: refused, plan: undefined }, 'failed')[0]?.failures).toMatchObject([
      { reason: 'run-refused', hint: expect.stringContaining('kubectl apply -k') },
    ]);
  });

  test('do not end before all tasks are known, though the run is over', () => {
    const early = told({ run: over, tasks: [], complete: false });
    expect(early).toEqual(['build/queued', 'build/started']);
    const late = told({ run: over, tasks: [prepare, ...units, assemble], complete: false });
    expect(late.at(-1)).toBe('bundle/step-finished');
  });

  test('a task that succeeded and left nothing is believed', () => {
    const silent = task('images-000', [], 9);
    expect(told({ tasks: [prepare, silent] }).slice(-2)).toEqual(steps('image/a'));
  });

  test('times do not go back at the end: those of the cluster are whole seconds', () => {
    const late = task(
      'report',
      [{ ...started('report', 30) }, { ...finished('report', 33), at: at(33, 700) }],
      33,
      yes,
      { createdAt: at(29) },
    );
    const events = attemptEvents(view({ run: over, tasks: [prepare, ...units, assemble, late] }));
    expect(events.at(-1)).toMatchObject({ kind: 'succeeded', at: at(33, 700) });
  });
});
