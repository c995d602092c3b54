import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Configuration } from '../../config/config.ts';
import { makeRoom } from './make-room.ts';

test('a history goes when room is needed, unless sources of a build are served from it', async () => {
  const state = await mkdtemp(join(tmpdir(), 'make-room-'));
  for (const name of ['served.git', 'unused.git']) {
    await mkdir(join(state, 'histories', name), { recursive: true });
    await writeFile(join(state, 'histories', name, 'HEAD'), '');
  }
  const info = join(state, 'git/some-build-abcdef/owner/repo.git/objects/info');
  await mkdir(info, { recursive: true });
  await writeFile(join(info, 'alternates'), `${join(state, 'histories/served.git/objects')}\n`);
  const remotes = { demo: { push: '127.0.0.1:1/demo' } };
  await makeRoom(state, Configuration.parse({ remotes, limits: { 'histories-gib': 0 } }));
  const left = (await readdir(join(state, 'histories'))).filter((name) => !name.startsWith('.'));
  expect(left).toEqual(['served.git']);
  await rm(state, { recursive: true, force: true });
});
