import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type SmallBuild, smallBuild } from '../../../test/support/small-build.ts';
import type { Build } from '../../builds/build.ts';
import { readText } from '../../plan/file-tree.ts';
import { readArtifact } from '../artifact.ts';
import type { StepContext } from '../step.ts';
import { recordReference, runReport, writeRecord } from './run-report.ts';

let build: SmallBuild;
let logs = '';
beforeEach(async () => {
  build = await smallBuild();
  logs = await mkdtemp(join(tmpdir(), 'tributary-logs-'));
});
afterEach(async () => {
  await build[Symbol.asyncDispose]();
  await rm(logs, { recursive: true, force: true });
});

async function report(changes: Partial<StepContext> = {}) {
  const step = build.plan.steps.find(({ kind }) => kind === 'report');
  if (step?.kind !== 'report') throw new Error('no report in the plan');
  const context = { ...build.context(), ...changes };
  const output = await runReport(step, context);
  const record = await readArtifact(build.registry, recordReference(build.plan));
  if (record === undefined) throw new Error('no record');
  return { output, record };
}

test('keeps lock, plan, outputs and upstream_sources.yaml under the tag', async () => {
  const { output, record } = await report();
  expect(recordReference(build.plan)).toBe(`${build.remote}/tributary:${build.plan.tag}-record`);
  expect(output).toEqual({ kind: 'report', digest: record.digest });
  const file = (name: string) => JSON.parse(readText(record.files, name) ?? '');
  expect(file('lock.json')).toEqual(build.plan.lock);
  expect(file('plan.json').tag).toBe(build.plan.tag);
  expect(Object.keys(file('outputs.json'))).toEqual(Object.keys(build.outputs));
  expect(readText(record.files, 'upstream_sources.yaml')).toBe(build.plan.upstreamSources);
});

test('a build that failed has a record too, which says what was not finished', async () => {
  const { record } = await report();
  expect(record.metadata).toMatchObject({
    outcome: 'failed',
    tag: build.plan.tag,
    unfinished: expect.arrayContaining(['bundle', 'index', 'verify']),
  });
});

test('inclusion and what cannot be pulled are there for whoever asks later', async () => {
  const inclusion = [{ component: 'tektoncd/pipeline', place: 'payload' }] as never;
  build.outputs['verify'] = { kind: 'verify', inclusion, unpullable: [] };
  const { record } = await report();
  expect(JSON.parse(readText(record.files, 'inclusion.json') ?? '')).toEqual(inclusion);
});

test('logs are kept compressed, with the end of a long one', async () => {
  await writeFile(join(logs, 'image~controller.log'), 'compiled\n');
  await writeFile(join(logs, 'bundle.log'), `begin${'x'.repeat(5 * 1024 * 1024)}end`);
  await writeFile(join(logs, 'notes.txt'), 'no log');
  const verdict = {
    state: 'failed',
    attempt: 2,
    requester: 'ada',
    pipelinerun: 'build-operator-bundle-1',
  };
  const { record } = await report({ record: { build: verdict as Build, logs } });
  expect(record.metadata).toMatchObject({ outcome: 'failed', attempt: 2, requester: 'ada' });
  const log = (name: string) =>
    gunzipSync(record.files.get(`logs/${name}.log.gz`)?.content ?? '').toString();
  expect(log('image~controller')).toBe('compiled\n');
  expect(log('bundle')).toMatch(/^\[the first \d+ bytes are left out\]\nx+end$/);
  expect([...record.files.keys()].filter((path) => path.startsWith('logs/'))).toHaveLength(2);
  expect(JSON.parse(readText(record.files, 'build.json') ?? '')).toEqual(verdict);
});

test('a build without a plan has a record too: what was asked, and what came of it', async () => {
  await writeFile(join(logs, 'prepare.log'), 'conflict\n');
  const context = build.context();
  const { tag, lock, product } = build.plan;
  const failed = { state: 'failed', attempt: 1 } as Build;
  const recorded = { tag, lock, product, plan: undefined };
  await writeRecord(recorded, { ...context, outputs: {}, record: { build: failed, logs } });
  const record = await readArtifact(build.registry, recordReference(build.plan));
  expect(record?.metadata).toMatchObject({
    ...{ outcome: 'failed', tag, lockDigest: build.plan.lockDigest, unfinished: ['prepare'] },
  });
  expect([...(record?.files.keys() ?? [])].sort()).toEqual([
    ...['build.json', 'inclusion.json', 'lock.json', 'logs/prepare.log.gz', 'outputs.json'],
    ...['product.json', 'unpullable.json'],
  ]);
});

test('a folder of logs that is not there is no failure', async () => {
  const { record } = await report({
    record: { build: { state: 'succeeded' } as Build, logs: join(logs, 'gone') },
  });
  expect(record.metadata).toMatchObject({ outcome: 'succeeded' });
});
