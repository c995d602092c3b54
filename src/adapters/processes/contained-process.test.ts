import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { removeStepFolder, startContained } from './contained-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tributary-contained-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Processes that have `mark` on their command line. */
async function marked(mark: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.filter((line) => line.includes(mark)).length;
}

test('its streams, messages and exit code arrive', async () => {
  const child = await startContained(
    ['sh', '-c', 'echo out; echo err >&2; echo message >&3; exit 7'],
    folder,
  );
  const streams = [child.stdout, child.stderr, child.fd3].map((stream) => text(stream));
  expect(await Promise.all(streams)).toEqual(['out\n', 'err\n', 'message\n']);
  expect(await child.exited).toMatchObject({ exitCode: 7 });
});

test('that its first process was killed is told from an exit', async () => {
  const child = await startContained(['sh', '-c', 'echo begun; sleep 60'], folder);
  child.stdout.once('data', () => child.end());
  for (const stream of [child.stdout, child.stderr, child.fd3]) stream.resume();
  expect(await child.exited).toEqual({ exitCode: 137, signal: 'SIGKILL' });
});

test('it sees no process of the machine and few of our variables', async () => {
  process.env['PRIVATE_OF_THE_TEST'] = 'secret';
  process.env['NAMED_BY_THE_TEST'] = 'wanted';
  const child = await startContained(['sh', '-c', 'env; echo $$'], folder, ['NAMED_BY_THE_TEST']);
  const printed = await text(child.stdout);
  await child.exited;
  expect(printed).toMatch(/^1$/m);
  expect(printed).toContain('NAMED_BY_THE_TEST=wanted');
  expect(printed).not.toContain('PRIVATE_OF_THE_TEST');
  // What it forgets, or cannot remove when it is killed, goes with its folder.
  expect(printed).toContain(`TMPDIR=${folder}\n`);
});

test('ending it ends all that it started, also what left its session, before it is said to be over', async () => {
  const script = `setsid tail -f /dev/null '${folder}' & setsid -f tail -f /dev/null '${folder}'; echo up; wait`;
  const child = await startContained(['sh', '-c', script], folder);
  child.stderr.resume();
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect(await marked(folder)).toBeGreaterThan(1);
  child.end();
  await child.exited;
  expect(await marked(folder)).toBe(0);
});

test('its mounts are not ours, and end with it', async () => {
  await mkdir(join(folder, 'mounted'));
  const script = 'mount -t tmpfs tmpfs mounted && touch mounted/file && echo up && sleep 60';
  const child = await startContained(['sh', '-c', script], folder);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  expect(await readdir(join(folder, 'mounted'))).toEqual([]);
  child.end();
  await child.exited;
  expect(await readFile('/proc/self/mounts', 'utf8')).not.toContain(folder);
});

test('a folder is removed with all in it', async () => {
  await mkdir(join(folder, 'a', 'b'), { recursive: true });
  await writeFile(join(folder, 'a', 'b', 'file'), '');
  await removeStepFolder(join(folder, 'a'));
  await removeStepFolder(join(folder, 'a'));
  expect(await readdir(folder)).toEqual([]);
});
