import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Failure, FailureError } from '../builds/failure.ts';
import type { Digest, Key } from '../plan/names.ts';
import type { StepOutput } from '../plan/plan.ts';
import { type RunStepsOptions, runSteps } from './run-steps.ts';
import type { StepMessage } from './step-message.ts';

const digest = `sha256:${'d'.repeat(64)}` as Digest;
const output: StepOutput = { kind: 'payload', key: 'a'.repeat(64) as Key, reused: false, digest };
const failure: Failure = {
  reason: 'registry-unavailable',
  detail: 'No answer.',
  hint: 'Try again.',
};
let workdir: string;
let told: StepMessage[];
let logged: string[];
beforeEach(async () => {
  workdir = await mkdtemp(join(tmpdir(), 'tributary-steps-'));
  told = [];
  logged = [];
});
afterEach(() => rm(workdir, { recursive: true, force: true }));

const run = (
  steps: string[],
  program: RunStepsOptions['run'],
  signal = new AbortController().signal,
) =>
  runSteps(steps, {
    ...{ outputs: { earlier: output }, workdir, run: program, signal },
    openLog: (step) => ({ line: (text) => void logged.push(`${step}: ${text}`), close: () => {} }),
    tell: (message) => void told.push(message),
  });

test('each step sees what the ones before it made', async () => {
  const seen: string[][] = [];
  const code = await run(['a', 'b'], async (_, { outputs }) => {
    seen.push(Object.keys(outputs));
    return { output };
  });
  expect(code).toBe(0);
  expect(seen).toEqual([['earlier'], ['earlier', 'a']]);
  expect(told.map(({ kind, step }) => `${kind} ${step}`)).toEqual([
    ...['step-started a', 'step-finished a', 'step-started b', 'step-finished b'],
  ]);
});

test('the first steps run at once where they may, and the others after them', async () => {
  const arrived: string[] = [];
  let meet = () => {};
  const met = new Promise<void>((done) => {
    meet = done;
  });
  const code = await runSteps(['a', 'b', 'c'], {
    ...{ outputs: {}, workdir, atOnce: 2, signal: new AbortController().signal },
    run: async (step, { outputs }) => {
      arrived.push(`${step} after ${Object.keys(outputs).sort()}`);
      // Each of the two waits for the other: one after the other they would wait for ever.
      if (arrived.length === 2) meet();
      await met;
      return { output };
    },
    openLog: () => ({ line: () => {}, close: () => {} }),
    tell: (message) => void told.push(message),
  });
  expect(code).toBe(0);
  expect(arrived).toEqual(['a after ', 'b after ', 'c after a,b']);
});

test('of steps at once each has its verdict, and nothing follows a failure', async () => {
  const code = await runSteps(['a', 'b', 'c'], {
    ...{ outputs: {}, workdir, atOnce: 2, signal: new AbortController().signal },
    run: async (step) => {
      if (step === 'a') throw new FailureError(failure);
      return { output };
    },
    openLog: () => ({ line: () => {}, close: () => {} }),
    tell: (message) => void told.push(message),
  });
  expect(code).toBe(4);
  const verdicts = told.filter(({ kind }) => kind !== 'step-started');
  expect(verdicts.map(({ kind, step }) => `${kind} ${step}`).sort()).toEqual([
    ...['step-failed a', 'step-finished b'],
  ]);
});

test('a failure is told, is the end of the log, and ends the process with its exit code', async () => {
  const code = await run(['a', 'b'], async () => {
    throw new FailureError(failure);
  });
  expect(code).toBe(4);
  expect(told).toEqual([
    { kind: 'step-started', step: 'a' },
    { kind: 'step-failed', step: 'a', failures: [failure] },
  ]);
  expect(logged).toEqual(['a: No answer.\n  Try again.']);
});

test('any other error is a bug of ours, with its stack in the log', async () => {
  const code = await run(['a'], async () => {
    throw new TypeError('x is not a function');
  });
  expect(code).toBe(70);
  expect(told.at(-1)).toMatchObject({ failures: [{ reason: 'internal-error' }] });
  expect(logged.join('\n')).toContain('run-steps.test.ts');
});

test('a step that is ended from outside has no verdict', async () => {
  const stop = new AbortController();
  await run(
    ['a'],
    async () => {
      stop.abort();
      throw new Error('aborted');
    },
    stop.signal,
  );
  expect(told).toEqual([{ kind: 'step-started', step: 'a' }]);
});

test('progress is for those who watch and for the log', async () => {
  await run(['a'], async (_, { progress }) => {
    progress('compiling');
    return { output };
  });
  expect(told[1]).toEqual({ kind: 'step-progress', step: 'a', text: 'compiling' });
  expect(logged).toEqual(['a: compiling']);
});

test('what is asked again is told with why, and when', async () => {
  const retry = { what: 'registry r', why: 'connection refused', retry: 2, seconds: 1.5 };
  await run(['a'], async (_, { retrying }) => {
    retrying(retry);
    return { output };
  });
  expect(told[1]).toEqual({ kind: 'step-retrying', step: 'a', ...retry });
  expect(logged).toEqual(['a: registry r: connection refused; asking again in 1.5 s (retry 2)']);
});

test('each step has an empty folder of its own, which is removed', async () => {
  const folders: string[] = [];
  await run(['image/a', 'image/b'], async (_, turn) => {
    folders.push(turn.workdir);
    expect(await readdir(turn.workdir)).toEqual([]);
    await writeFile(join(turn.workdir, 'file'), '');
    return { output };
  });
  expect(new Set(folders).size).toBe(2);
  expect(await readdir(workdir)).toEqual([]);
});
