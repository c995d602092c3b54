import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startProcess } from '../adapters/processes/command.ts';
import { parseStepMessage } from '../steps/step-message.ts';

const program = fileURLToPath(new URL('../cli.ts', import.meta.url));
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-step-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Runs `tributary step` in a process, as an engine does. */
function run(...args: string[]) {
  return runOn('', ...args);
}

async function runOn(input: string, ...args: string[]) {
  const child = await startProcess(process.execPath, [program, 'step', ...args], {
    ...{ cwd: folder, stdin: 'pipe', fd3: true },
  });
  child.stdin?.end(input);
  const streams = [child.stdout, child.stderr, child.fd3].map((stream) =>
    text(stream ?? Readable.from([])),
  );
  const [out, err, told = ''] = await Promise.all(streams);
  const { exitCode } = await child.exited;
  const messages = told
    .split('\n')
    .filter((line) => line !== '')
    .map(parseStepMessage);
  return { exitCode, out, err, messages };
}

const files = () => ['--plan', join(folder, 'plan.json'), '--workdir', folder, '--messages', '3'];

async function configure(): Promise<string[]> {
  const remotes = { demo: { push: '127.0.0.1:1/demo' } };
  const file = join(folder, 'config.json');
  await writeFile(file, JSON.stringify({ state: join(folder, 'state'), remotes }));
  return ['--config', file];
}

test('without a step it says how it is used', async () => {
  expect(await run()).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('tributary step --plan FILE'),
  });
});

test('an option that it does not know is a usage error', async () => {
  expect(await run('--wrong', 'bundle')).toMatchObject({
    exitCode: 2,
    err: expect.stringContaining('--wrong'),
  });
});

test('a configuration that cannot be read fails the first step', async () => {
  const { exitCode, messages } = await run(
    ...files(),
    '--config',
    join(folder, 'nowhere.yaml'),
    'bundle',
  );
  expect(exitCode).toBe(2);
  expect(messages).toMatchObject([
    { kind: 'step-failed', step: 'bundle', failures: [{ reason: 'bad-configuration' }] },
  ]);
});

test('a step that the plan does not have is a bug, told in its log', async () => {
  await writeFile(join(folder, 'plan.json'), JSON.stringify({ steps: [] }));
  const logs = join(folder, 'logs');
  const { exitCode, messages } = await run(
    ...files(),
    ...(await configure()),
    '--logs',
    logs,
    'image/controller',
  );
  expect(exitCode).toBe(70);
  expect(messages).toMatchObject([
    { kind: 'step-started', step: 'image/controller' },
    { kind: 'step-failed', step: 'image/controller', failures: [{ reason: 'internal-error' }] },
  ]);
  expect(await readFile(join(logs, 'image~controller.log'), 'utf8')).toContain(
    'the plan has no step image/controller',
  );
});

test('a plan that other tools made is refused: nothing of it is begun, and the hint says what to do', async () => {
  const steps = [{ id: 'image/controller', kind: 'image' }];
  await writeFile(join(folder, 'plan.json'), JSON.stringify({ madeBy: 'an older version', steps }));
  const { exitCode, messages } = await run(...files(), ...(await configure()), 'image/controller');
  expect(exitCode).toBe(4);
  expect(messages).toEqual([
    { kind: 'step-started', step: 'image/controller' },
    {
      ...{ kind: 'step-failed', step: 'image/controller' },
      failures: [
        {
          reason: 'tools-changed',
          detail: expect.stringMatching(/was made by an older version; this is .*buildah/),
          hint: expect.stringMatching(
            /^Start the service anew after an upgrade, then ask .* again/,
          ),
        },
      ],
    },
  ]);
});

test('without a folder for logs, they are printed', async () => {
  await writeFile(join(folder, 'plan.json'), JSON.stringify({ steps: [] }));
  const { out } = await run(...files(), ...(await configure()), 'image/controller');
  expect(out).toContain('the plan has no step image/controller');
});

test('one that waits ends when nobody can ask it any more', async () => {
  expect(await run('--wait', ...(await configure()), '--messages', '3')).toMatchObject({
    ...{ exitCode: 0, out: '', err: '', messages: [] },
  });
});

test('one that waits runs what it is asked for, and nothing after a failure', async () => {
  await writeFile(join(folder, 'plan.json'), JSON.stringify({ steps: [] }));
  const unit = (id: string) => `${JSON.stringify([...files(), id])}\n`;
  const asked = `${unit('bundle')}${unit('index')}`;
  const { exitCode, messages } = await runOn(
    asked,
    '--wait',
    '--messages',
    '3',
    ...(await configure()),
  );
  expect(exitCode).toBe(70);
  expect(messages).toMatchObject([
    { kind: 'step-started', step: 'bundle' },
    { kind: 'step-failed', step: 'bundle' },
  ]);
});
