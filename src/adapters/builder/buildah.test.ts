import { existsSync, readdirSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { pushBusyboxImage } from '../../../test/support/busybox-image.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { FailureError } from '../../builds/failure.ts';
import { Configuration } from '../../config/config.ts';
import { readBlob, readLayout, uncompressed } from '../../steps/oci-layout.ts';
import type { ContainerBuild } from '../../steps/step.ts';
import { generousLimits, unpackTree } from '../../steps/tar-tree.ts';
import { run, startProcess } from '../processes/command.ts';
import { createRegistry } from '../registry/registry.ts';
import { createBuilder } from './buildah.ts';
import { sweepStorage } from './scratch-storage.ts';

vi.setConfig({ testTimeout: 60_000, hookTimeout: 30_000 });

let server: TestRegistry;
let folder = '';
let state = '';
let base = '';
let count = 0;
const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';

beforeAll(async () => {
  server = await startRegistry();
  folder = await mkdtemp(join(tmpdir(), 'buildah-'));
  state = join(folder, 'state');
  const registry = await createRegistry(configuration(), { folder });
  base = await pushBusyboxImage(registry, `${server.host}/base/busybox:1`);
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true, force: true });
});

function configuration() {
  return Configuration.parse({ remotes: { demo: { push: server.host } } });
}

async function context(files: Record<string, string>): Promise<string> {
  const path = join(folder, `context-${count++}`);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(path, name, '..'), { recursive: true });
    await writeFile(join(path, name), content);
  }
  await mkdir(path, { recursive: true });
  return path;
}

interface Wish extends Partial<ContainerBuild> {
  readonly isolation?: 'oci' | 'chroot';
  readonly signal?: AbortSignal;
  readonly log?: (text: string) => void;
}

async function build(dockerfile: string, wish: Wish = {}) {
  const { isolation = 'oci', signal = new AbortController().signal, log, ...more } = wish;
  const builder = await createBuilder(configuration(), { state, isolation });
  const output = join(folder, `output-${count++}`);
  let text = '';
  await builder.build(
    {
      ...{ dockerfile, bases: { base }, args: {}, platform, network: false, output },
      ...{ context: wish.context ?? (await context({})), ...more },
    },
    log ?? ((piece) => (text += piece)),
    signal,
  );
  return { output, text, digest: (await readLayout(output)).digest };
}

/** The files of an image's last layer. */
async function lastLayer(output: string) {
  const { manifest } = await readLayout(output);
  const layer = manifest.layers.at(-1);
  if (layer === undefined) throw new Error('no layer');
  const bytes = await readBlob(output, layer, 2 ** 24);
  const tree = await unpackTree(uncompressed(bytes, 2 ** 24), generousLimits);
  if (!tree.ok) throw new Error('cannot be unpacked');
  return tree.value;
}

async function failure(work: Promise<unknown>) {
  const error = await work.catch((thrown: unknown) => thrown);
  if (!(error instanceof FailureError)) throw error;
  return error.failures[0];
}

/** Ids of the builds of these tests, for the names of their control groups. */
const ids = new Set<string>();

function noteBuilds(): string[] {
  const folder = join(state, 'storage/builds');
  const names = existsSync(folder) ? readdirSync(folder) : [];
  for (const name of names) ids.add(name);
  return names;
}

/** What a build could leave behind; other tests of this machine may leave theirs. */
async function leftovers() {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
  const processes = await run('ps', ['-eo', 'args'], { cwd: '/' });
  const cgroups = await run('find', ['/sys/fs/cgroup', '-name', 'tributary-*'], { cwd: '/' });
  const builds = noteBuilds();
  return {
    mounts: mounts.filter((line) => line.includes(folder)),
    processes: processes.stdout
      .toString()
      .split('\n')
      .filter((line) => line.includes(folder)),
    builds,
    cgroups: cgroups.stdout
      .toString()
      .split('\n')
      .filter((line) => ids.has(line.split('tributary-').at(-1) ?? '')),
  };
}
const nothing = { mounts: [], processes: [], builds: [], cgroups: [] };

const typical =
  'FROM base AS build\nCOPY . /src\nRUN cat /src/a > /made\nFROM base\nCOPY --from=build /made /made\nCOPY b/c /c\nRUN echo x > /d\n';

test('the same inputs give the same digest, whatever their times and modes, and with either isolation', async () => {
  const files = { a: 'A', 'b/c': 'C' };
  const first = await build(typical, { context: await context(files) });
  const other = await context(files);
  await utimes(join(other, 'a'), 1, 1);
  await chmod(join(other, 'b'), 0o700);
  await chmod(join(other, 'b/c'), 0o600);
  const umask = process.umask(0o077);
  try {
    expect((await build(typical, { context: other })).digest).toBe(first.digest);
  } finally {
    process.umask(umask);
  }
  const chroot = await build(typical, { context: await context(files), isolation: 'chroot' });
  expect(chroot.digest).toBe(first.digest);
  const changed = await build(typical, { context: await context({ ...files, a: 'B' }) });
  expect(changed.digest).not.toBe(first.digest);
  expect(await leftovers()).toEqual(nothing);
});

test('build arguments choose the base, reach RUN, and an instruction for another frontend is a comment', async () => {
  const dockerfile =
    '# syntax=docker/dockerfile:1\nARG RUNTIME=base\nFROM $RUNTIME\nARG WHO=nobody\nRUN echo "hello $WHO" > /greeting\n';
  const { output } = await build(dockerfile, { args: { WHO: 'you; $(id)' } });
  expect((await lastLayer(output)).get('greeting')?.content.toString()).toBe('hello you; $(id)\n');
});

test('images are copied and mounted from, by name', async () => {
  const { output } = await build(
    'FROM scratch\nCOPY --from=tool:1 /etc/os-release /copied\nFROM base\nCOPY --from=0 /copied /copied\nRUN --mount=type=bind,from=tool:1,source=/etc,target=/mnt cat /mnt/os-release > /mounted\n',
    { bases: { base, 'tool:1': base } },
  );
  const layer = await lastLayer(output);
  expect(layer.get('copied')?.content.toString()).toBe('ID=busybox\n');
  expect(layer.get('mounted')?.content.toString()).toBe('ID=busybox\n');
});

test('RUN has no network, not even to a server of this machine; with network it has', async () => {
  await using web = await serve();
  // Not wget: the static busybox crashes in it.
  const dockerfile = `FROM base\nRUN printf 'GET / HTTP/1.0\\r\\n\\r\\n' | busybox nc -w 3 127.0.0.1 ${web.port} > /answer || echo none > /answer\n`;
  const alone = await build(dockerfile);
  expect((await lastLayer(alone.output)).get('answer')?.content.toString()).toBe('none\n');
  const open = await build(dockerfile, { network: true });
  expect((await lastLayer(open.output)).get('answer')?.content.toString()).toContain('here');
  expect(web.asked()).toBe(1);
});

test('downloading into an image fails clearly without network', async () => {
  await using web = await serve();
  const failed = await failure(build(`FROM base\nADD http://127.0.0.1:${web.port}/x /x\n`));
  expect(failed).toMatchObject({
    reason: 'image-build-failed',
    hint: expect.stringContaining('The build has no network'),
  });
  expect(web.asked()).toBe(0);
});

test('RUN sees nothing of the machine: no environment, files, processes, control groups or rights', async () => {
  process.env['TRIBUTARY_TEST_SECRET'] = 'host-secret';
  const secret = join(folder, 'secret.txt');
  await writeFile(secret, 'host-secret');
  const ask = [
    'env',
    `cat ${secret}`,
    'cat /etc/passwd /etc/shadow',
    'ls /sys/fs/cgroup | sed s/^/cgroup-/',
    'cat /proc/1/cmdline',
    'cat /proc/self/status',
    'mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && echo mount""ed',
    'touch /proc/sys/kernel/hostname && echo writt""en',
    'busybox chroot / /bin/true && echo chroot""ed',
  ];
  const { text } = await build(`FROM base\nRUN (${ask.join('; ')}; true) 2>&1\n`);
  delete process.env['TRIBUTARY_TEST_SECRET'];
  const said = text
    .split('\n')
    .filter((line) => !line.startsWith('STEP'))
    .join('\n');
  expect(said).toContain('CapEff:\t00000000800005fb');
  expect(said).toContain('Seccomp:\t2');
  expect(said).not.toMatch(/host-secret|root:x|^cgroup-|mounted|written|chrooted|vitest/m);
  expect(said).toContain('PATH=/bin');
});

test('a link that leads out of the context reaches no file of the machine', async () => {
  await writeFile(join(folder, 'outside.txt'), 'host-secret');
  const path = await context({ a: 'A' });
  await symlink(join(folder, 'outside.txt'), join(path, 'link'));
  await symlink(folder, join(path, 'folder'));
  for (const source of ['link', 'folder/outside.txt']) {
    const result = await build(`FROM base\nCOPY ${source} /stolen\nRUN cat /stolen\n`, {
      context: path,
    }).then(
      (made) => made.text,
      (error: Error) => error.message,
    );
    expect(result).not.toContain('host-secret');
  }
  const mounted = build(
    'FROM base\nRUN --mount=type=bind,source=folder,target=/m cat /m/outside.txt\n',
    { context: path },
  );
  expect(await failure(mounted)).toMatchObject({ reason: 'image-build-failed' });
});

test('a failing RUN is a failure with the instruction and its last lines', async () => {
  const failed = await failure(build('FROM base\nRUN echo "it is \\"broken\\""; exit 7\n'));
  expect(failed).toMatchObject({
    reason: 'image-build-failed',
    detail: expect.stringMatching(/`RUN echo .*exit status 7/),
    about: { output: expect.arrayContaining(['it is "broken"']) },
  });
  expect(await leftovers()).toEqual(nothing);
});

test('a base that nobody pinned, or that is gone, is named', async () => {
  expect(await failure(build('FROM elsewhere:1\n'))).toMatchObject({
    reason: 'base-image-not-found',
    detail: expect.stringContaining('elsewhere:1'),
  });
  const gone = `${server.host}/base/busybox@sha256:${'0'.repeat(64)}`;
  expect(await failure(build('FROM base\n', { bases: { base: gone } }))).toMatchObject({
    reason: 'base-image-not-found',
    detail: expect.stringContaining(gone),
  });
});

test('cancel leaves no process, mount, control group or folder', async () => {
  const abort = new AbortController();
  const building = build('FROM base\nRUN echo begun; sleep 300\n', {
    signal: abort.signal,
    log: (text) => text.startsWith('begun') && abort.abort(new Error('cancelled')),
  });
  await expect(building).rejects.toThrow('cancelled');
  expect(await leftovers()).toEqual(nothing);
});

test('after a kill, no process and mount is left, and the next start sweeps the folders', async () => {
  const program = `
    import { createBuilder } from ${JSON.stringify(new URL('./buildah.ts', import.meta.url).href)};
    const builder = await createBuilder(${JSON.stringify(configuration())}, { state: ${JSON.stringify(state)} });
    const dockerfile = 'FROM base\\nRUN echo begun; sleep 300\\n';
    await builder.build({ context: ${JSON.stringify(await context({}))}, dockerfile, bases: ${JSON.stringify({ base })}, args: {},
      platform: ${JSON.stringify(platform)}, network: false, output: ${JSON.stringify(join(folder, 'killed'))} },
      (text) => process.stdout.write(text), new AbortController().signal);`;
  const child = await startProcess(process.execPath, ['--input-type=module', '-e', program], {
    cwd: folder,
  });
  child.stderr?.resume();
  await new Promise<void>((resolve) => {
    child.stdout?.on('data', (text: Buffer) => /^begun/m.test(text.toString()) && resolve());
  });
  await sweepStorage(state);
  expect((await leftovers()).builds).toHaveLength(3);
  process.kill(child.pid, 'SIGKILL');
  await child.exited;
  await sleep(300);
  expect(await leftovers()).toMatchObject({ processes: [], mounts: [] });
  await sweepStorage(state);
  expect(await leftovers()).toEqual(nothing);
});

async function serve() {
  let asked = 0;
  const http = createServer((_, response) => {
    asked++;
    response.end('here');
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return {
    port: (http.address() as AddressInfo).port,
    asked: () => asked,
    [Symbol.asyncDispose]: async () => void http.close(),
  };
}
