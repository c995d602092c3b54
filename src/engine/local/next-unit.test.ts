import { describe, expect, test } from 'vitest';
import type { Step, StepKind } from '../../plan/plan.ts';
import { type BuildProgress, lookUpFirst, nextUnit } from './next-unit.ts';

const ids = (...names: string[]): ReadonlySet<string> => new Set(names);
const none = ids();

function step(id: string, needs: readonly string[] = [], group = id): Step {
  const kind = id.split('/')[0] as StepKind;
  return { id, kind, needs, key: null, group, weight: kind === 'image' ? 30 : 2 } as Step;
}

/** Two components with two images each, and what follows. */
const plan = [
  step('payload/pipeline'),
  step('image/controller', [], 'pipeline'),
  step('image/webhook', [], 'pipeline'),
  step('image/sink', [], 'triggers'),
  step('image/operator', [], 'operator'),
  step('operator-payload/operator', ['payload/pipeline', 'image/operator']),
  step('bundle', ['image/controller', 'image/webhook', 'image/sink', 'operator-payload/operator']),
  step('index', ['bundle']),
  step('verify', ['index']),
  step('report', ['verify']),
];
const next = (progress: Omit<BuildProgress, 'seeded' | 'slots'> & Partial<BuildProgress>) =>
  nextUnit(plan, { seeded: none, slots: 2, ...progress });
const all = plan.map(({ id }) => id).filter((id) => id !== 'report');

describe('the steps of one process', () => {
  test('are those of a group, where nothing is held', () => {
    const unit = next({ done: none, begun: none, held: none });
    expect(unit).toEqual(['image/controller', 'image/webhook']);
    const second = next({ done: none, begun: ids(...unit), held: none });
    expect(second).toEqual(['image/operator']);
  });

  test('are a share of a group for each slot, where its images need not wait for each other', () => {
    const seeded = ids('pipeline');
    const first = next({ done: none, begun: none, held: none, seeded });
    expect(first).toEqual(['image/controller']);
    const second = next({ done: none, begun: ids(...first), held: none, seeded });
    expect(second).toEqual(['image/webhook']);
    expect(next({ done: none, begun: none, held: none, seeded, slots: 1 })).toEqual([
      'image/controller',
      'image/webhook',
    ]);
    const held = ids('image/webhook', 'image/operator', 'image/sink');
    expect(next({ done: none, begun: none, held, seeded })).toEqual(['image/controller']);
  });

  test('are all of the build but the report, where the registry holds everything', () => {
    const held = ids(...all.filter((id) => /^(image|payload)/.test(id)));
    expect(next({ done: none, begun: none, held })).toEqual(all);
  });

  test('are the held ones and what they suffice for, beside a process that builds', () => {
    const held = ids('payload/pipeline', 'image/sink', 'image/operator');
    const first = next({ done: none, begun: none, held });
    expect(first).toEqual(['image/controller', 'image/webhook']);
    const second = next({ done: none, begun: ids(...first), held });
    expect(second).toEqual([
      'payload/pipeline',
      'image/sink',
      'image/operator',
      'operator-payload/operator',
    ]);
    expect(next({ done: none, begun: ids(...first, ...second), held })).toEqual([]);
    const last = next({ done: ids(...first, ...second), begun: none, held });
    expect(last).toEqual(['bundle', 'index', 'verify']);
  });

  test('are first those of the component that takes the longest, although another is followed by more', () => {
    const [first] = next({ done: none, begun: none, held: none });
    expect(first).toBe('image/controller');
    const held = ids('image/controller', 'image/webhook');
    expect(next({ done: held, begun: none, held })).toEqual(['image/operator']);
  });

  test('are no second process of a group that compiles', () => {
    const begun = ids('image/controller');
    expect(next({ done: none, begun, held: none })).not.toContain('image/webhook');
  });
});

describe('of the steps of a unit', () => {
  test('those that are held and wait for nobody come first, and are looked up at once', () => {
    const done = ids('prepare');
    const held = ids('payload/pipeline', 'image/sink', 'image/operator');
    const unit: [string, ...string[]] = [
      ...['image/operator', 'operator-payload/operator', 'payload/pipeline', 'image/sink'],
    ] as [string, ...string[]];
    expect(lookUpFirst(unit, plan, { done, held })).toEqual({
      steps: ['image/operator', 'payload/pipeline', 'image/sink', 'operator-payload/operator'],
      atOnce: 3,
    });
  });

  test('none is looked up before what it needs is done', () => {
    const held = ids('operator-payload/operator');
    const unit = ['operator-payload/operator'] as [string];
    expect(lookUpFirst(unit, plan, { done: ids('prepare'), held }).atOnce).toBe(0);
  });
});
