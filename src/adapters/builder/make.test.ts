import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { processesOf } from '../../../test/support/leftovers.ts';
import { attempt } from '../../builds/failure.ts';
import { Configuration } from '../../config/config.ts';
import type { Tag } from '../../plan/names.ts';
import type { MakeRun } from '../../steps/step.ts';
import { run } from '../processes/command.ts';
import { createMake } from './make.ts';

// Real make and git; what containers do is for test/integration/makefile.test.ts.
let folder: string;
let state: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tributary-make-'));
  state = join(folder, 'state');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tag = 'demo-012345' as Tag;
const person = {
  GIT_AUTHOR_NAME: 'Test',
  GIT_AUTHOR_EMAIL: 'test@example.com',
  GIT_COMMITTER_NAME: 'Test',
  GIT_COMMITTER_EMAIL: 'test@example.com',
};

async function make(makefile: string, change: Partial<MakeRun> = {}, signal?: AbortSignal) {
  const checkout = mkdtempSync(join(folder, 'checkout-'));
  writeFileSync(join(checkout, 'Makefile'), makefile.replaceAll('  ', '\t'));
  const remote = { push: 'registry.example.com/demo', authfile: join(folder, 'auth.json') };
  const configuration = Configuration.parse({
    remotes: { demo: { ...remote, insecure: true }, other: { push: 'other.example.com' } },
    mirrors: { 'base.example.com': '127.0.0.1:5000/bases' },
    urls: { 'https://github.com/': 'http://127.0.0.1:1/' },
  });
  const said: string[] = [];
  const told: string[] = [];
  const asked = {
    ...{ folder: checkout, targets: ['all'], variables: {}, repositories: {}, tag, remote: 'demo' },
    ...change,
  };
  const outcome = await attempt(() =>
    createMake({ ...configuration, state }).run(
      asked,
      { log: (text) => said.push(text), progress: (text) => told.push(text) },
      signal ?? new AbortController().signal,
    ),
  );
  return { outcome, output: said.join(''), told, checkout };
}

test('runs the targets in order, with the variables that they are given', async () => {
  const text = 'first second:\n  @echo $@ $(REMOTE) "$(OTHER)"\n';
  const variables = { REMOTE: 'r/x', OTHER: 'two words' };
  const { outcome, output, told } = await make(text, { targets: ['second', 'first'], variables });
  expect(outcome).toMatchObject({ ok: true });
  expect(output).toBe('second r/x two words\nfirst r/x two words\n');
  expect(told).toEqual(['make second', 'make first']);
});

test('stops at the target that fails, and says which one deep down it was, with what came before', async () => {
  const text = 'all: inner\ninner:\n  @echo the reason\n  @exit 3\nlater:\n  @echo never\n';
  const { outcome, output } = await make(text, { targets: ['all', 'later'] });
  expect(outcome).toMatchObject({
    ok: false,
    failures: [
      {
        reason: 'target-failed',
        detail: '`make all` failed in its target inner (Makefile:4) with exit code 2.',
        about: { target: 'inner', output: ['the reason', expect.stringContaining('Error 3')] },
      },
    ],
  });
  expect(output).not.toContain('never');
});

test.for([
  ['a program that was killed says nothing about the code', 'kill -9 $$$$', 'step-crashed'],
  [
    'so does one that a shell of the target waited for',
    'sh -c "kill -9 $$$$" || exit',
    'step-crashed',
  ],
  [
    'code that was killed in a container is the fault of the ref',
    `echo 'building at STEP "RUN make": exit status 137'; exit 137`,
    'target-failed',
  ],
  ['a full disk is told as such', 'echo "write a: no space left on device"; exit 1', 'disk-full'],
] as const)('%s', async ([, line, reason]) => {
  const { outcome } = await make(`all:\n  @${line}\n`);
  expect(outcome).toMatchObject({ ok: false, failures: [{ reason }] });
});

test('a target that is not there is the failure', async () => {
  const { outcome } = await make('all:\n', { targets: ['no-such'] });
  expect(outcome).toMatchObject({
    ok: false,
    failures: [{ detail: '`make no-such` failed with exit code 2.' }],
  });
});

test('git fetches from what the build exported, whatever URL the Makefile names', async () => {
  const exported = join(state, 'git', tag, 'o/r.git');
  mkdirSync(exported, { recursive: true });
  const git = async (...args: string[]) =>
    (await run('git', ['-C', exported, ...args], { cwd: '/', env: person })).stdout
      .toString()
      .trim();
  await git('init', '--quiet', '--bare');
  const commit = await git('commit-tree', '-m', 'x', await git('mktree'));
  await git('update-ref', 'refs/heads/main', commit);
  const text = `all:\n  @git init -q s && git -C s fetch -q --depth=1 https://github.com/o/r.git ${commit} && git -C s rev-parse FETCH_HEAD\n`;
  const repositories = { 'https://github.com/o/r.git': 'o/r.git' };
  const { output } = await make(text, { repositories });
  expect(output.trim()).toBe(commit);
});

test('the environment holds the credential of this remote, how to reach registries, and nothing of ours', async () => {
  process.env['TRIBUTARY_TEST_SECRET'] = 'planted';
  const text = 'all:\n  @env | sort; cat $$CONTAINERS_REGISTRIES_CONF $$CONTAINERS_STORAGE_CONF\n';
  const { output } = await make(text);
  delete process.env['TRIBUTARY_TEST_SECRET'];
  expect(output).toContain(`REGISTRY_AUTH_FILE=${join(folder, 'auth.json')}\n`);
  expect(output).toContain('location = "registry.example.com"\ninsecure = true\n');
  expect(output).toContain('prefix = "base.example.com"\nlocation = "127.0.0.1:5000/bases"\n');
  expect(output).toContain(`graphroot = "${state}/storage/builds/`);
  expect(output).not.toContain('planted');
  expect(output).not.toMatch(new RegExp(`^HOME=${process.env['HOME']}$`, 'm'));
});

test("a remote without an authfile gives no credential, not even the user's own", async () => {
  const { output } = await make('all:\n  @cat $$REGISTRY_AUTH_FILE\n', { remote: 'other' });
  expect(output).toBe('{}\n');
});

test('nothing of it is left: no process, no storage, no control group', async () => {
  const { output } = await make(
    'all:\n  @(sleep 300 &) ; cat /proc/self/cgroup; ls -A /run; touch /run/left\n',
  );
  const [group] = /tributary-[0-9a-f]{16}/.exec(output) ?? [];
  if (process.getuid?.() === 0) expect(group).toBeDefined();
  expect(existsSync('/run/left')).toBe(false);
  expect(processesOf(basename(folder))).toEqual([]);
  expect(readdirSync(join(state, 'storage/builds'))).toEqual([]);
  const hierarchies = ['', ...readdirSync('/sys/fs/cgroup')];
  for (const hierarchy of hierarchies)
    expect(existsSync(join('/sys/fs/cgroup', hierarchy, group ?? 'none'))).toBe(false);
});

test('ends at once where it is aborted', async () => {
  const stop = new AbortController();
  const text = 'all:\n  @echo begun >begun; sleep 300\n';
  const running = make(text, {}, stop.signal);
  await expect
    .poll(() => readdirSync(folder).some((name) => existsSync(join(folder, name, 'begun'))))
    .toBe(true);
  stop.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
  expect(readdirSync(join(state, 'storage/builds'))).toEqual([]);
});
