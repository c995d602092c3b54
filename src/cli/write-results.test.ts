import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { largeBuild } from '../../test/support/large-build.ts';
import { terminationMessage } from '../../test/support/run-sizes.ts';
import { assemblePlan } from '../plan/assemble-plan.ts';
import type { Digest, Key } from '../plan/names.ts';
import type { Step, StepOf, StepOutput } from '../plan/plan.ts';
import { planFacts } from '../plan/plan-facts.fixture.ts';
import { clearArtifacts, writeResults } from './write-results.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-results-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const plan = assemblePlan(planFacts());
const images = plan.steps.filter((step): step is StepOf<'image'> => step.kind === 'image');
const digest = `sha256:${'d'.repeat(64)}` as Digest;

const made = (count: number) =>
  new Map(
    images.slice(0, count).map((step) => [
      step,
      {
        kind: 'image',
        key: 'a'.repeat(64) as Key,
        reused: false,
        digest,
        image: 'x',
      } satisfies StepOutput,
    ]),
  );

const written = async () =>
  Object.fromEntries(
    await Promise.all(
      (await readdir(join(folder, 'results'))).map(async (name) => [
        name,
        await readFile(join(folder, 'results', name), 'utf8'),
      ]),
    ),
  );

test('links that an earlier container left are removed, and nothing that they lead to', async () => {
  const secret = join(folder, 'auth.json');
  await writeFile(secret, 'secret');
  await mkdir(join(folder, 'artifacts'));
  await symlink(secret, join(folder, 'artifacts/provenance.json'));
  await symlink(folder, join(folder, 'artifacts/folder'));
  await clearArtifacts(join(folder, 'artifacts'));
  expect(await readdir(join(folder, 'artifacts'))).toEqual([]);
  expect(await readFile(secret, 'utf8')).toBe('secret');
});

test.for([
  [0, []],
  [1, ['IMAGE_DIGEST', 'IMAGE_URL']],
  [2, ['IMAGES']],
] as const)('of %d images these results are written: %s', async ([count, names]) => {
  await writeResults(join(folder, 'results'), plan, made(count), () => {});
  const results = await written();
  expect(Object.keys(results).sort()).toEqual(names);
  if (count === 1) expect(results['IMAGE_DIGEST']).toBe(digest);
  if (count === 2) expect(results['IMAGES'].split('\n')).toHaveLength(2);
});

test('what a cluster pulls from elsewhere is told where it was pushed to', async () => {
  const ends = ['bundle', 'index'].map((kind) => {
    const step = plan.steps.find((one) => one.kind === kind) as Step;
    const image = `pull.example.com:5000/team/the-${kind}@${digest}`;
    return [step, { kind, key: 'a', reused: false, digest, image } as StepOutput] as const;
  });
  await writeResults(join(folder, 'results'), plan, new Map(ends), () => {});
  const { push } = plan.lock.remote;
  expect(await written()).toEqual({
    IMAGES: `${push}/the-bundle@${digest}\n${push}/the-index@${digest}`,
  });
});

test('of more images than fit, as many are told as a container of five may say', async () => {
  const { plan: largePlan, outputOf } = largeBuild(300, 1);
  const all = new Map(
    largePlan.steps
      .filter(({ kind }) => kind === 'image')
      .map((step) => [step, outputOf(step.id)] as const),
  );
  const said: string[] = [];
  await writeResults(join(folder, 'results'), largePlan, all, (text) => said.push(text));
  const results = await written();
  const told = results['IMAGES'].split('\n').length;
  expect(told).toBeGreaterThan(5);
  expect(said).toHaveLength(300 - told);
  expect(JSON.stringify(terminationMessage(results)).length).toBeLessThan((12 * 1024) / 5);
});
