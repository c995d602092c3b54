import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import {
  createFolderRegistry,
  type FolderRegistry,
} from '../../adapters/registry/folder-registry.ts';
import { FailureError } from '../../builds/failure.ts';
import { assemblePlan } from '../../plan/assemble-plan.ts';
import { textFile } from '../../plan/file-tree.ts';
import { planFacts } from '../../plan/plan-facts.fixture.ts';
import { readArtifact, writeArtifact } from '../artifact.ts';
import { demandKey } from '../key-reference.ts';
import { fetchUnit } from './fetch-unit.ts';
import { readsOf } from './unit-reads.ts';

const facts = planFacts();
const plan = assemblePlan({
  ...facts,
  product: { ...facts.product, cache: ['/var/cache/go-build'] },
  lock: { ...facts.lock, patches: {} },
});
const steps = plan.steps.filter(({ id }) => id === 'image/sink');
const [step] = steps;
if (step === undefined) throw new Error('no step');
const { reference } = demandKey(step, plan);
const reads = readsOf(steps, plan);

let folder = '';
let registry: MemoryRegistry;
let brought: FolderRegistry;
let pulled: string[];
let said: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fetch-unit-'));
  registry = new MemoryRegistry();
  brought = createFolderRegistry({ writes: join(folder, 'in') });
  [pulled, said] = [[], []];
  for (const source of reads.artifacts) await put(source, source);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

function put(at: string, text: string) {
  const files = new Map([['a', textFile(text)]]);
  return writeArtifact(registry, folder, at, { kind: 'source', metadata: {}, files });
}

function fetch(rebuild = false) {
  const say = (text: string) => void said.push(text);
  return fetchUnit(steps, {
    ...{ plan, registry, folder: brought, workdir: folder, rebuild, log: say, progress: say },
    bringBases: async (bases) => void pulled.push(...bases.map(({ reference }) => reference)),
    signal: new AbortController().signal,
  });
}

test('brings sources whole, base images, and the seed that is there', async () => {
  const [seed = ''] = reads.seeds;
  await put(seed, 'seed');
  await fetch();
  for (const source of [...reads.artifacts, seed])
    expect(await readArtifact(brought, source)).toEqual(await readArtifact(registry, source));
  expect(pulled.toSorted()).toEqual(reads.bases);
});

test('of what is made already only that it is: nothing else is brought, but for a rebuild', async () => {
  await put(reference, 'made');
  await fetch();
  expect((await brought.manifest(reference))?.digest).toBe(
    (await registry.manifest(reference))?.digest,
  );
  expect(pulled).toEqual([]);
  brought = createFolderRegistry({ writes: join(folder, 'again') });
  await fetch(true);
  expect(await brought.manifest(reference)).toBeUndefined();
  expect(pulled.toSorted()).toEqual(reads.bases);
});

test('a seed that cannot be had is told of, and missed by nobody', async () => {
  const [seed = ''] = reads.seeds;
  await put(seed, 'seed');
  const trouble = {
    reason: 'registry-unusable',
    detail: 'It is damaged.',
    hint: 'Mend it.',
  } as const;
  registry.pullLayout = () => Promise.reject(new FailureError(trouble));
  await fetch();
  expect(await brought.manifest(seed)).toBeUndefined();
  expect(said.join('\n')).toContain('It is damaged.');
});
