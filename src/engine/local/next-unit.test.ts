import { describe, expect, test } from 'vitest';
import type { Step, StepKind } from '../../plan/plan.ts';
import { nextUnit } from './next-unit.ts';

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
const all = plan.map(({ id }) => id).filter((id) => id !== 'report');

describe('the steps of one process', () => {
  test('are those of a group, where nothing is held', () => {
    const unit = nextUnit(plan, { done: none, begun: none, held: none });
    expect(unit).toEqual(['image/controller', 'image/webhook']);
    const next = nextUnit(plan, { done: none, begun: ids(...unit), held: none });
    expect(next).toEqual(['image/operator']);
  });

  test('are all of the build but the report, where the registry holds everything', () => {
    const held = ids(...all.filter((id) => /^(image|payload)/.test(id)));
    expect(nextUnit(plan, { done: none, begun: none, held })).toEqual(all);
  });

  test('are the held ones and what they suffice for, beside a process that builds', () => {
    const held = ids('payload/pipeline', 'image/sink', 'image/operator');
    const first = nextUnit(plan, { done: none, begun: none, held });
    expect(first).toEqual(['image/controller', 'image/webhook']);
    const second = nextUnit(plan, { done: none, begun: ids(...first), held });
    expect(second).toEqual([
      'payload/pipeline',
      'image/sink',
      'image/operator',
      'operator-payload/operator',
    ]);
    expect(nextUnit(plan, { done: none, begun: ids(...first, ...second), held })).toEqual([]);
    const last = nextUnit(plan, { done: ids(...first, ...second), begun: none, held });
    expect(last).toEqual(['bundle', 'index', 'verify']);
  });

  test('are first those of the component that takes the longest, although another is followed by more', () => {
    const [first] = nextUnit(plan, { done: none, begun: none, held: none });
    expect(first).toBe('image/controller');
    const held = ids('image/controller', 'image/webhook');
    expect(nextUnit(plan, { done: held, begun: none, held })).toEqual(['image/operator']);
  });

  test('are no second process of a group that compiles', () => {
    const begun = ids('image/controller');
    expect(nextUnit(plan, { done: none, begun, held: none })).not.toContain('image/webhook');
  });
});
