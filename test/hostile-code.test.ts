import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { run } from '../src/adapters/processes/command.ts';
import { textFile } from '../src/plan/file-tree.ts';
import { compileCache } from './support/hostile/compile-cache.ts';
import { floodLog } from './support/hostile/flood-log.ts';
import { keptFolders, places } from './support/hostile/places.ts';
import { type OpenHostileWorld, openHostileWorld } from './support/hostile/world.ts';

/** Code of a hostile ref, in every place where code of a ref runs: each attack is tried, and fails. */

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const secret = 'planted-secret-4711';
let world: OpenHostileWorld;

beforeAll(async () => {
  world = await openHostileWorld();
  process.env['TRIBUTARY_TEST_SECRET'] = secret;
});
afterAll(async () => {
  delete process.env['TRIBUTARY_TEST_SECRET'];
  await world.close();
});

describe.each(places)('$place', ({ attack }) => {
  test('reaches nothing of the machine: no file, environment, process, server, nor other rights', async () => {
    const files = [
      await plant(join(world.folder, 'secret.txt')),
      await plant(join(world.folder, 'auth.json')),
      await plant(join(world.state, 'mirrors/secret.git/config')),
      await plant(join(world.state, 'seeds/other/object')),
      await plant(join(world.state, 'storage/builds/other/work/secret')),
    ];
    const writable = [
      ...[...files, world.folder, world.state, join(world.state, 'storage/bases/root')],
      ...['/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/sys/kernel/uevent_helper'],
      '/sys/fs/cgroup',
    ];
    const hosts = ['127.0.0.1', ...addresses()];
    const servers = hosts.flatMap((host) => world.ports.map((port) => `${host}:${port}`));
    const words = [secret, files, writable, servers, world.socket];
    const pry = await readFile(new URL('./support/hostile/pry.pl', import.meta.url));
    const before = world.visits();
    const { failure, log } = await attack(world, {
      code: `perl pry.pl ${words.join(' ')}`,
      files: new Map([['pry.pl', textFile(pry)]]),
    });
    expect(failure).toBeUndefined();
    expect(log.split('\n').filter((line) => line.startsWith('LOOT'))).toEqual([]);
    expect(log).toContain('everything was tried');
    expect(world.visits()).toBe(before);
  });

  test('symbolic and hard links out of its source lead to nothing of the machine, nor does what it leaves', async () => {
    const outside = await plant(join(world.folder, 'outside/secret.txt'));
    const ofBuilder = '/etc/containers/policy.json';
    const files = new Map([
      ['link', linkTo(outside)],
      ['folder', linkTo(join(outside, '..'))],
      ['up', linkTo(`${'../'.repeat(32)}${outside.slice(1)}`)],
      ['policy', linkTo(ofBuilder)],
    ]);
    const code = `
      cat link up policy folder/secret.txt
      for link in link up policy folder/secret.txt folder/planted; do echo planted >$link; done
      busybox ln ${outside} hard; busybox ln -L link harder; busybox ln policy hardest; busybox ln -s /proc/1/root${outside} late
      echo everything was tried >&2`;
    const left = await attack(world, { code, files });
    expect(left.failure).toBeUndefined();
    expect(left.log).toContain('everything was tried');
    // The whole place is a link when it is read.
    const replace = keptFolders.map(
      (kept) => `rm -r ${kept}; busybox ln -s ${ofBuilder}/.. ${kept}`,
    );
    const replaced = await attack(world, { code: `cd /; ${replace.join('; ')}`, files });
    for (const { log, kept } of [left, replaced]) {
      expect(log + kept).not.toContain(secret);
      expect(log + kept).not.toContain('insecureAcceptAnything');
    }
    expect(await readFile(outside, 'utf8')).toBe(secret);
    expect(await readdir(join(outside, '..'))).toEqual(['secret.txt']);
  });

  test('leaves no process behind', async () => {
    const name = `left-behind-${process.pid}-${places.findIndex((one) => one.attack === attack)}`;
    // One that lets go of everything, and one that holds what the build prints to.
    const code = `
      perl -e 'exit if fork; setpgrp; $0 = "${name}"; sleep 600' &
      perl -e 'exit if fork; close $_ for *STDIN, *STDOUT, *STDERR; syscall(${setsid}); exit if fork; $0 = "${name}"; sleep 600'
      busybox setsid perl -e '$0 = "${name}"; sleep 600' </dev/null &
      sleep 0.2; echo started >&2`;
    const { failure, log } = await attack(world, { code });
    expect(failure).toBeUndefined();
    expect(log).toContain('started');
    const { stdout } = await run('ps', ['-eo', 'args'], { cwd: '/' });
    expect(stdout.toString()).not.toContain(name);
  });

  test.each([
    {
      title: 'forking without end',
      code: "perl -e 'while (1) { fork }' & sleep 60",
      limits: { processes: 100 },
      told: { limit: 'processes', allowed: '100' },
    },
    {
      title: 'filling memory, whoever notices',
      code: "perl -e 'push @all, q(x) x 1e6 while 1' || true; sleep 60",
      limits: { 'memory-mib': 100 },
      told: { limit: 'memory-mib', allowed: '100 MiB' },
    },
    {
      title: 'filling the disk',
      code: "perl -e 'for $name (1 .. 1e9) { open F, q(>), $name; print F q(x) x 2e7; close F }'",
      limits: { 'disk-mib': 100 },
      told: { limit: 'disk-mib', allowed: '100 MiB' },
    },
    {
      title: 'files in which there is nothing',
      code: "perl -e 'for $name (1 .. 1e4) { open F, q(>), $name }'; sleep 60",
      limits: { 'disk-mib': 32 },
      told: { limit: 'disk-mib', allowed: '32 MiB' },
    },
  ])('$title ends in a failure that names the limit', async ({ code, limits, told }) => {
    const { failure } = await attack(world, { code, limits });
    expect(failure).toMatchObject({
      reason: 'limit-exceeded',
      detail: expect.stringContaining(told.allowed),
      hint: expect.stringContaining('limits: {sandbox: {'),
      about: told,
    });
  });

  test('a file with a hole of a terabyte is refused', async () => {
    const code = "perl -e 'open F, q(>), q(big); truncate F, 1 << 40 or die $!' || exit 1";
    const { failure } = await attack(world, { code, limits: { 'disk-mib': 100 } });
    expect(failure?.about?.['output']).toEqual(
      expect.arrayContaining([expect.stringMatching(/File (too large|size limit exceeded)/i)]),
    );
  });

  test('output without measure leaves a small log with its beginning and its end', async () => {
    await floodLog(attack, world, 64);
  });
});

test('neither a renderer nor a patch script sees the compile cache of images, or leaves anything in it', async () => {
  await using cache = await compileCache(world);
  const search =
    'busybox find / -path /proc -prune -o -path /sys -prune -o -name compiled -print >&2';
  expect(await cache.image(search)).toContain(`${cache.folder}/compiled`);
  for (const { attack } of places.slice(1)) {
    const { failure, log } = await attack(world, {
      code: `
        ${search}
        cat /proc/mounts >&2
        mkdir -p ${cache.folder}; for name in planted compiled; do echo planted >${cache.folder}/$name; done`,
      builder: cache.builder,
    });
    expect(failure).toBeUndefined();
    expect(log).toContain(' /proc ');
    expect(log).not.toMatch(/\/compiled$|buildah-cache/m);
    expect(log).not.toContain(cache.folder);
    expect(await cache.image(`echo have $(ls -A ${cache.folder})`)).toContain('have compiled\n');
  }
});

const setsid = process.arch === 'arm64' ? 157 : 112;

async function plant(path: string): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, secret);
  return path;
}

const linkTo = (target: string) => ({ mode: '120000' as const, content: Buffer.from(target) });

/** Addresses of this machine that others use. */
function addresses(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}
