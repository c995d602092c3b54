import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Key } from '../../src/plan/names.ts';
import type { Plan, Source } from '../../src/plan/plan.ts';
import { type SmallBuild, type SmallBuildOptions, smallBuild } from '../support/small-build.ts';
import { operator, pipeline } from '../support/small-product.ts';
import {
  changePlan,
  digestOf,
  finishBuild,
  verifyBuild,
  verifyFailures,
} from '../support/verify-build.ts';

let build: SmallBuild;
const start = async (options?: SmallBuildOptions) => {
  await build?.[Symbol.asyncDispose]();
  build = await smallBuild(options);
  await finishBuild(build);
};
beforeEach(() => start());
afterEach(() => build[Symbol.asyncDispose]());

test('an image under a key of other sources fails, although all that the bundle names agrees', async () => {
  const step = build.plan.steps.find(({ id }) => id === 'image/controller');
  const other = 'a'.repeat(64) as Key;
  const repository = `${build.remote}/controller`;
  await build.registry.copy(
    `${repository}@${digestOf(build, 'image/controller')}`,
    `${repository}:key-${other}`,
  );
  changeStep('image/controller', { key: other });
  expect((await verifyFailures(build)).map(({ about }) => about)).toEqual([
    {
      component: pipeline,
      place: 'image/controller',
      expected: `key-${step?.key}`,
      found: `key-${other}`,
    },
  ]);
});

test('a payload under a key of other inputs fails', async () => {
  const id = `payload/${operator}`;
  const before = build.plan.steps.find((step) => step.id === id)?.key;
  const other = 'a'.repeat(64) as Key;
  const artifacts = `${build.remote}/tributary`;
  await build.registry.copy(`${artifacts}:key-${before}`, `${artifacts}:key-${other}`);
  changeStep(id, { key: other });
  expect((await verifyFailures(build)).map(({ about }) => about)).toEqual([
    { component: operator, place: id, expected: `key-${before}`, found: `key-${other}` },
  ]);
});

test.for<[string, string, object]>([
  ['another base image', 'image/controller', { bases: { scratch: `x@sha256:${'1'.repeat(64)}` } }],
  ['another argument', 'image/controller', { args: { CI_PIPELINE_UPSTREAM_COMMIT: 'x' } }],
  ['network', 'image/controller', { network: true }],
  ['another rule', `payload/${operator}`, { version: '9.9.9' }],
])('a plan that asks for %s than its key stands for fails', async ([, id, change]) => {
  changeStep(id, change);
  expect((await verifyFailures(build)).map(({ about }) => about)).toContainEqual(
    expect.objectContaining({ place: id }),
  );
});

test.for<[string, () => Partial<Plan>]>([
  ['lock', () => ({ lock: { ...build.plan.lock, name: 'other' } })],
  ['product', () => ({ product: { ...build.plan.product, external: ['*'] } })],
  ['request', () => unasked()],
])('a plan of another %s fails', async ([, change]) => {
  changePlan(build, change());
  expect((await verifyFailures(build)).map(({ about }) => about)).toContainEqual(
    expect.objectContaining({ place: 'plan' }),
  );
});

test('what was believed of a source and not proven stands in its proofs', async () => {
  await start({ headHoldsBase: true });
  const { inclusion } = await verifyBuild(build);
  const proofs = inclusion.filter(({ component }) => component === pipeline);
  const commit = build.plan.sources[pipeline]?.commit.slice(0, 12);
  for (const { proof } of proofs) expect(proof).toContain(`That ${commit} holds main`);
  expect(proofs).toHaveLength(2);
});

function changeStep(id: string, change: object): void {
  const steps = build.plan.steps.map((step) => (step.id === id ? { ...step, ...change } : step));
  changePlan(build, { steps: steps as Plan['steps'] });
}

function unasked(): Partial<Plan> {
  const source = build.plan.sources[pipeline] as Source;
  return { sources: { ...build.plan.sources, [pipeline]: { ...source, requested: false } } };
}
