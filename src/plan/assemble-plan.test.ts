import fc from 'fast-check';
import { expect, test } from 'vitest';
import { assemblePlan, type PlanFacts } from './assemble-plan.ts';
import { canonicalText } from './canonical-hash.ts';
import type { ComponentName, ImageName } from './names.ts';
import type { Plan, Step } from './plan.ts';
import { planFacts } from './plan-facts.fixture.ts';

const pipeline = 'tektoncd/pipeline' as ComponentName;
const facts = planFacts();
const plan = assemblePlan(facts);

function step<Kind extends Step['kind']>(of: Plan, kind: Kind, id: string = kind) {
  const found = of.steps.find((candidate) => candidate.id === id);
  if (found?.kind !== kind) throw new Error(`no ${id}`);
  return found as Extract<Step, { kind: Kind }>;
}

function changedKeys(change: Partial<PlanFacts>): string[] {
  const other = assemblePlan({ ...facts, ...change });
  const keys = new Map(plan.steps.map(({ id, key }) => [id, key]));
  return other.steps
    .filter(({ id, key }) => keys.get(id) !== key)
    .map(({ id }) => id)
    .sort();
}

const withSource = (name: ComponentName, change: object): Partial<PlanFacts> => ({
  sources: { ...facts.sources, [name]: { ...facts.sources[name], ...change } as never },
});
const withImage = (name: string, change: object): Partial<PlanFacts> => ({
  images: { ...facts.images, [name]: { ...facts.images[name as ImageName], ...change } as never },
});

test('the plan of the small product is as kept (update with -u where keys are meant to change)', async () => {
  await expect(`${JSON.stringify(plan.steps, null, 2)}\n`).toMatchFileSnapshot(
    './golden/plan-steps.json',
  );
});

test('the order of anything unordered does not change a plan', () => {
  fc.assert(
    fc.property(fc.infiniteStream(fc.nat()), (stream) => {
      const shuffled = shuffle(facts, stream) as PlanFacts;
      const other = assemblePlan(shuffled);
      expect(other.steps.map(({ id }) => id)).toEqual(plan.steps.map(({ id }) => id));
      expect(canonicalText(other)).toBe(canonicalText(plan));
    }),
    { numRuns: 50 },
  );
});

test('a Makefile takes the place of images and bundle, and gets the payload that they would get', () => {
  const lock = { ...facts.lock, strategy: 'makefile' } as const;
  const other = assemblePlan({ ...facts, lock });
  const payloads = (of: Plan) => of.steps.filter(({ kind }) => kind === 'payload');
  expect(payloads(other)).toEqual(payloads(plan));
  const ids = payloads(other).map(({ id }) => id);
  const manifests = other.steps.filter(({ kind }) => kind === 'manifests').map(({ id }) => id);
  expect(
    other.steps.slice(ids.length + manifests.length).map(({ id, needs }) => [id, needs]),
  ).toEqual([
    ['makefile', [...ids, ...manifests].sort()],
    ['index', ['makefile']],
    ['verify', ['index']],
    ['report', ['verify']],
  ]);
});

test('a step comes after everything that it needs, and needs only what there is', () => {
  const seen = new Set<string>();
  for (const { id, needs } of plan.steps) {
    for (const need of needs) expect(seen).toContain(need);
    seen.add(id);
  }
  expect(seen.size).toBe(plan.steps.length);
});

test('what waits for what', () => {
  const needs = Object.fromEntries(plan.steps.map(({ id, needs }) => [id, needs]));
  expect(needs['image/controller']).toEqual([]);
  expect(needs['operator-payload/operator']).toEqual([
    'image/operator',
    'payload/tektoncd/operator',
    'payload/tektoncd/pipeline',
    'payload/tektoncd/triggers',
  ]);
  expect(needs['bundle']).toEqual([
    'image/cli',
    'image/controller',
    'image/sink',
    'image/webhook',
    'manifests/tektoncd/operator',
    'operator-payload/operator',
  ]);
  expect([needs['index'], needs['verify'], needs['report']]).toEqual([
    ['bundle'],
    ['index'],
    ['verify'],
  ]);
});

test('images are grouped by their first component; those that carry the payload are not final', () => {
  const images = plan.steps.filter((one) => one.kind === 'image');
  expect(images.map(({ image, group, final }) => `${group.slice(6)} ${image} ${final}`)).toEqual([
    'tektoncd/operator operator false',
    'tektoncd/pipeline cli true',
    'tektoncd/pipeline controller true',
    'tektoncd/pipeline webhook true',
    'tektoncd/triggers sink true',
  ]);
});

test('arguments of the distgit layout are passed as the Dockerfile asks', () => {
  expect(step(plan, 'image', 'image/controller').args).toEqual({
    CI_PIPELINE_UPSTREAM_COMMIT: 'a'.repeat(40),
    REMOTE_SOURCE: 'remote-source',
    REMOTE_SOURCE_DIR: '/remote-source',
  });
  expect(step(plan, 'image', 'image/cli').args).toEqual({
    GOFLAGS: '-mod=vendor',
    REMOTE_SOURCES: 'remote-sources',
    REMOTE_SOURCES_DIR: '/remote-sources',
  });
});

test('payload references are known at plan time, as a cluster pulls them', () => {
  const { key } = step(plan, 'image', 'image/controller');
  const payload = step(plan, 'payload', 'payload/tektoncd/pipeline');
  expect(payload.images['github.com/tektoncd/pipeline/cmd/controller']).toBe(
    `registry.cluster/demo/controller:key-${key}`,
  );
  expect(payload.version).toBe(`0.69.0-t${payload.key?.slice(0, 6)}`);
});

test('a renderer may use only references that its key knows', () => {
  const { images } = step(plan, 'payload', 'payload/tektoncd/triggers');
  expect(Object.keys(images)).toEqual(['github.com/tektoncd/triggers/cmd/sink']);
});

test('the operator version ends in the hash of the tag', () => {
  expect(plan.operatorVersion).toBe('1.7.0-t72a32c');
});

test('manifests are generated only from an operator that was asked for', () => {
  const other = assemblePlan({
    ...facts,
    ...withSource('tektoncd/operator' as ComponentName, { requested: false }),
  });
  expect(other.steps.some(({ kind }) => kind === 'manifests')).toBe(false);
  expect(step(other, 'bundle').needs).not.toContain('manifests/tektoncd/operator');
});

// The controller's reference is in the payload of its component, so its key is in the payload's key.
const ofController = ['image/controller', 'payload/tektoncd/pipeline'];
test.for<[string, Partial<PlanFacts>, string[]]>([
  ['a name, tag or lock', { tag: 'other-aaaaaa' as never, lockDigest: 'x' as never }, []],
  ['the service that builds', { upstreamSources: 'other' }, []],
  [
    'a tree',
    withSource(pipeline, { tree: '9'.repeat(40) }),
    ['image/cli', ...ofController, 'image/webhook'],
  ],
  ['a commit with the same tree', withSource(pipeline, { commit: '9'.repeat(40) }), ofController],
  ['a Dockerfile or context', withImage('webhook', { context: '9'.repeat(40) }), ['image/webhook']],
  ['a patch left to the Dockerfile', withImage('controller', { patches: {} }), ofController],
  [
    'payload inputs',
    {
      payloads: {
        ...facts.payloads,
        [pipeline]: { inputs: '9'.repeat(40), references: new Set() },
      } as never,
    },
    ['payload/tektoncd/pipeline'],
  ],
  [
    'where a base is fetched from',
    { bases: mapValues(facts.bases, (base) => `mirror.example/${base}`) },
    [],
  ],
  [
    'the push name of the remote',
    { lock: { ...facts.lock, remote: { ...facts.lock.remote, push: 'elsewhere/demo' } } },
    [],
  ],
  [
    'the pull name of the remote',
    { lock: { ...facts.lock, remote: { ...facts.lock.remote, pull: 'elsewhere/demo' } } },
    ['payload/tektoncd/pipeline', 'payload/tektoncd/triggers'],
  ],
])('%s changes these keys alone', ([, change, expected]) => {
  expect(changedKeys(change)).toEqual([...expected].sort());
});

test('a base image, the tools and the platform change every image', () => {
  const images = plan.steps.filter(({ kind }) => kind === 'image').map(({ id }) => id);
  const other = { ...facts.bases, 'base/go:1': `base/go@sha256:${'9'.repeat(64)}` };
  expect(changedKeys({ bases: other })).toEqual(expect.arrayContaining(images));
  expect(changedKeys({ tools: 'buildah 2' })).toEqual(expect.arrayContaining(images));
  expect(changedKeys({ lock: { ...facts.lock, platforms: ['linux/arm64'] } })).toEqual(
    expect.arrayContaining(images),
  );
});

/** The same value with the keys of every object, and the unordered lists, in another order. */
function shuffle(value: unknown, random: Iterator<number>): unknown {
  const order = <Item>(items: readonly Item[]) =>
    items
      .map((item) => ({ item, at: random.next().value as number }))
      .sort((a, b) => a.at - b.at)
      .map(({ item }) => item);
  if (value instanceof Set) return new Set(order([...value]));
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    // Reports of patches come from components at work at once; other lists have a meaning.
    const isReports = value.some(
      (item) => typeof item === 'object' && item !== null && 'outcome' in item,
    );
    return isReports ? order(value) : value.map((item) => shuffle(item, random));
  }
  return Object.fromEntries(
    order(Object.entries(value)).map(([key, inner]) => [key, shuffle(inner, random)]),
  );
}

function mapValues(record: Readonly<Record<string, string>>, change: (value: string) => string) {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}
