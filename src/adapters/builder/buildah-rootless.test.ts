import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pushBusyboxImage } from '../../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { Configuration } from '../../config/config.ts';
import { type FileTree, textFile } from '../../plan/file-tree.ts';
import { readLayout } from '../../steps/oci-layout.ts';
import { run } from '../processes/command.ts';
import { createRegistry } from '../registry/registry.ts';

/** An ordinary user with subordinate ids: ourselves, or, where we are root, one made for this test. */
const user = 'tributary-rootless';
const isRoot = process.getuid?.() === 0;

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let server: TestRegistry;
let folder = '';
let base = '';

beforeAll(async () => {
  if (isRoot) await command('useradd', ['--create-home', user]);
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'rootless-'));
  await chmod(folder, 0o755);
  const registry = await createRegistry(configuration(), { folder });
  // Files of other owners do not matter here, but layers of an image in which RUN made some do.
  const files: FileTree = new Map([['etc/passwd', textFile('root:x:0:0::/:/bin/sh\n')]]);
  base = await pushBusyboxImage(registry, `${server.host}/base/busybox:1`, files);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
  if (isRoot) await command('userdel', ['--remove', user]);
});

const dockerfile =
  'FROM base\nCOPY . /src\nRUN cat /src/a > /made && busybox chown 1000:1000 /made && busybox mkdir -m 700 /d && busybox chown 7:7 /d && id\n';

const inNamespace = [
  ...['unshare', '--user', '--map-root-user', '--map-auto'],
  ...['--mount', '--pid', '--fork', '--mount-proc'],
];

const callers = [
  { how: 'by itself', caller: [] },
  {
    // The local engine starts each step like this.
    how: 'in a user namespace of its caller',
    caller: inNamespace,
  },
];

test.for(callers)(
  'an ordinary user builds $how, with the same digest as root, and leaves nothing',
  async ({ how, caller }) => {
    const home = join(folder, how.replaceAll(' ', '-'));
    await mkdir(join(home, 'context'), { recursive: true });
    await writeFile(join(home, 'context/a'), 'A');
    if (isRoot) await command('chown', ['-R', user, home]);
    await command(
      ...asUser([...caller, process.execPath, '--input-type=module', '-e', program(home)], home),
    );
    const rootless = await readLayout(join(home, 'output'));
    const state = join(home, 'state');
    expect(await readdir(join(state, 'storage/builds'))).toEqual([]);
    expect(await readFile('/proc/mounts', 'utf8')).not.toContain(home);
    if (!isRoot) return;
    await rm(join(home, 'output'), { recursive: true });
    await rm(state, { recursive: true });
    await command(process.execPath, ['--input-type=module', '-e', program(home)], home);
    expect(rootless.digest).toBe((await readLayout(join(home, 'output'))).digest);
  },
);

test.for([
  {
    what: 'processes',
    // Fewer than the kernel would refuse: by that it would end itself, before anybody looks.
    run: 'for i in $(busybox seq 150); do sleep 60 & done; sleep 60',
    limits: { processes: 100 },
  },
  { what: 'memory', run: 'busybox tail /dev/zero', limits: { 'memory-mib': 100 } },
  {
    what: 'disk',
    run: 'for i in 1 2 3 4 5; do busybox dd if=/dev/zero of=/$i bs=1M count=30; done; sleep 60',
    limits: { 'disk-mib': 100 },
  },
])('the build of an ordinary user is ended at its limit of $what', async (attack) => {
  const home = join(folder, attack.what);
  await mkdir(join(home, 'context'), { recursive: true });
  if (isRoot) await command('chown', ['-R', user, home]);
  const [imports = '', ...rest] = program(home, `FROM base\nRUN ${attack.run}\n`, attack.limits)
    .trim()
    .split('\n');
  const code = `${imports}
    try { ${rest.join('\n')}; console.log('null'); }
    catch (error) { console.log(JSON.stringify(error.failures?.[0] ?? String(error))); }`;
  const words = [...inNamespace, process.execPath, '--input-type=module', '-e', code];
  const [become, args, cwd] = asUser(words, home);
  const { stdout } = await run(become, args, { cwd });
  expect(JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '')).toMatchObject({
    reason: 'limit-exceeded',
    detail: expect.stringContaining(`used more ${attack.what} than a build may: 100`),
  });
});

test('the build of an ordinary user yields to us, who look at what it takes', async () => {
  const home = join(folder, 'yields');
  await mkdir(join(home, 'context'), { recursive: true });
  if (isRoot) await command('chown', ['-R', user, home]);
  const code = program(
    home,
    'FROM base\nRUN busybox awk \'{ print "niceness: " $19 }\' /proc/self/stat\n',
  );
  const words = [...inNamespace, process.execPath, '--input-type=module', '-e', code];
  const [become, args, cwd] = asUser(words, home);
  const { stdout, stderr } = await run(become, args, { cwd });
  expect(stdout.toString(), stderr).toContain('niceness: 19\n');
});

function configuration(sandbox = {}) {
  return Configuration.parse({
    remotes: { demo: { push: server.host } },
    limits: { sandbox },
  });
}

function program(home: string, text = dockerfile, limits = {}): string {
  const wish = {
    ...{ context: join(home, 'context'), output: join(home, 'output'), dockerfile: text },
    ...{ bases: { base }, args: {}, network: false },
    platform: process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64',
  };
  return `
    import { createBuilder } from ${JSON.stringify(new URL('./buildah.ts', import.meta.url).href)};
    const builder = await createBuilder(${JSON.stringify(configuration(limits))}, { state: ${JSON.stringify(join(home, 'state'))} });
    await builder.build(${JSON.stringify(wish)}, (text) => process.stdout.write(text), new AbortController().signal);`;
}

function asUser(words: readonly string[], home: string): [string, string[], string] {
  const become = ['setpriv', '--reuid', user, '--regid', user, '--init-groups'];
  const [program = '', ...args] = ['env', `HOME=${home}`, ...words];
  return isRoot
    ? [become[0] as string, [...become.slice(1), program, ...args], home]
    : [program, args, home];
}

async function command(program: string, args: readonly string[], cwd = '/'): Promise<void> {
  const { exitCode, stdout, stderr } = await run(program, args, { cwd });
  expect(`${exitCode === 0 ? '' : stdout}${exitCode === 0 ? '' : stderr}`).toBe('');
  expect(exitCode).toBe(0);
}
