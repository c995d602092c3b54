import {
  chmod,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type FaultyProxy, first, startFaultyProxy } from '../../../test/support/faulty-proxy.ts';
import { MemoryRegistry } from '../../../test/support/memory-registry.ts';
import { startRegistry, type TestRegistry } from '../../../test/support/registry.ts';
import { parseManifest } from '../../steps/oci-layout.ts';
import { run, startProcess } from '../processes/command.ts';
import { privilege as ownPrivilege } from '../processes/sandbox.ts';
import { type FileLock, lockFile } from '../storage/file-lock.ts';
import { openShelf } from '../storage/shelf.ts';
import { findSeed, writeSeed } from './seeds.ts';

const reference = 'push/tributary:seed-1';
const privilege = ownPrivilege();

let folder = '';
let registry: MemoryRegistry;
let count = 0;
const locks: FileLock[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'seeds-'));
  registry = new MemoryRegistry();
});
afterEach(async () => {
  for (const lock of locks.splice(0)) await lock.release();
  await rm(folder, { recursive: true, force: true });
});

/** Finds the seed as a machine with this shelf does. */
function find(machine: string, own: boolean) {
  const shelf = openShelf(join(folder, machine));
  const hold = async (name: string, make: (draft: string) => Promise<void>) => {
    locks.push(await shelf.hold(name, make));
    return join(shelf.folder, name);
  };
  const scratch = join(folder, `scratch-${count++}`);
  return findSeed({ reference, own, folder: scratch }, { registry, privilege, hold });
}

/** Adds files to the seed as a group of the own sources does. */
async function add(machine: string, fill: (upper: string) => Promise<void>) {
  const seed = await find(machine, true);
  const upper = join(folder, `group-${count++}`, 'upper');
  await mkdir(upper, { recursive: true });
  await fill(upper);
  const shelf = openShelf(join(folder, machine));
  const more = { registry, shelf, privilege, log: () => {} };
  await writeSeed({ reference, about: { folder: '/cache' }, seed, upper }, more);
}

const large = Buffer.alloc(300_000, 'x');

test('keeps files with their modes, leaves links out, and no file ever looks old', async () => {
  await add('here', async (upper) => {
    await mkdir(join(upper, 'ab'));
    await writeFile(join(upper, 'ab/program'), large);
    await chmod(join(upper, 'ab/program'), 0o755);
    await chmod(join(upper, 'ab'), 0o777);
    await symlink('/etc/passwd', join(upper, 'link'));
  });
  for (const machine of ['here', 'elsewhere']) {
    const [layer = ''] = (await find(machine, false))?.folders ?? [];
    expect(await readdir(layer, { recursive: true })).toEqual(['ab', 'ab/program']);
    expect(await readFile(join(layer, 'ab/program'))).toEqual(large);
    const [file, inner] = [await stat(join(layer, 'ab/program')), await stat(join(layer, 'ab'))];
    expect([file.mode & 0o777, inner.mode & 0o777]).toEqual([0o755, 0o777]);
    expect(file.mtimeMs).toBeGreaterThan(Date.parse('2099-01-01'));
  }
});

test('the same content is the same artifact', async () => {
  const fill = (upper: string) => writeFile(join(upper, 'a'), large);
  await add('one', fill);
  const first = registry.manifests.get(reference)?.digest;
  registry = new MemoryRegistry();
  await add('two', fill);
  expect(registry.manifests.get(reference)?.digest).toBe(first);
});

test('next to nothing is not kept', async () => {
  await add('here', (upper) => writeFile(join(upper, 'a'), 'small'));
  expect(registry.writes).toEqual([]);
});

test('grows by layers, the newest on top, and begins anew when it has eight', async () => {
  const layers = () =>
    parseManifest(registry.manifests.get(reference)?.bytes ?? Buffer.of()).layers.length;
  for (let number = 1; number <= 8; number++) {
    await add('here', (upper) => writeFile(join(upper, String(number)), large));
    expect(layers()).toBe(number);
  }
  const [top = '', ...others] = (await find('here', false))?.folders ?? [];
  expect(await readdir(top)).toEqual(['8']);
  expect(others).toHaveLength(7);
  await add('here', (upper) => writeFile(join(upper, '9'), large));
  expect(layers()).toBe(1);
});

describe('a process that is killed while it adds to a seed', () => {
  let server: TestRegistry;
  let proxy: FaultyProxy;
  beforeAll(async () => {
    server = await startRegistry();
    proxy = await startFaultyProxy(server.host);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await server.close();
  });

  const args = (file: string) => [program, folder, proxy.host, file];
  /** Adds a file; gives what the seed holds then, the topmost layer first. */
  const finish = async (file: string): Promise<string[][]> => {
    const { exitCode, stdout, stderr } = await run(process.execPath, args(file), { cwd: '/' });
    expect(exitCode, stderr).toBe(0);
    const folders: string[] = JSON.parse(stdout.toString());
    for (const layer of folders)
      for (const name of await readdir(layer))
        expect(await readFile(join(layer, name))).toEqual(Buffer.alloc(300_000, name));
    return Promise.all(folders.map((layer) => readdir(layer)));
  };
  const moving = /^PUT .*\/manifests\/seed-1$/;

  test('before its tag moves changes nothing, and after that has added its whole layer', {
    timeout: 60_000,
  }, async () => {
    await finish('first');
    proxy.script(first(1, moving, { kind: 'hang' }));
    const early = await startProcess(process.execPath, args('early'), { cwd: '/' });
    await expect.poll(() => proxy.seen.at(-1)?.fault, { timeout: 10_000 }).toBe('hang');
    await early.kill(0);
    proxy.script();
    expect(await finish('second')).toEqual([['second'], ['first']]);

    proxy.script(first(1, moving, { kind: 'delay', milliseconds: 1000 }));
    const late = await startProcess(process.execPath, args('late'), { cwd: '/' });
    await expect.poll(() => proxy.seen.at(-1)?.fault, { timeout: 10_000 }).toBe('delay');
    // It cannot put its layer on this machine's shelf.
    const lock = await lockFile(join(folder, 'shelf/.shelf'), { wait: true });
    await expect.poll(() => layersAt(server.host), { timeout: 10_000 }).toBe(3);
    await late.kill(0);
    await lock?.release();
    expect(await finish('third')).toEqual([['third'], ['late'], ['second'], ['first']]);
  });
});

async function layersAt(host: string): Promise<number> {
  const answer = await fetch(`http://${host}/v2/product/manifests/seed-1`, {
    headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
  });
  return parseManifest(Buffer.from(await answer.arrayBuffer())).layers.length;
}

const program = join(import.meta.dirname, '../../../test/support/seed-process.ts');

test('what is no seed is refused', async () => {
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: 'other', digest: `sha256:${'0'.repeat(64)}`, size: 1 },
    layers: [],
  };
  registry.put(
    reference,
    Buffer.from(JSON.stringify(manifest)),
    'application/vnd.oci.image.manifest.v1+json',
  );
  await expect(find('here', false)).rejects.toThrow('not an artifact');
});
