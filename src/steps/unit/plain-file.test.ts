import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run } from '../../adapters/processes/command.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plain-file-'));
  await mkdir(join(folder, 'closed'));
  await writeFile(join(folder, 'closed/file'), 'x');
  await writeFile(join(folder, 'file'), 'x', { mode: 0 });
  await chmod(join(folder, 'closed'), 0);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Reads as the container that pushes does: as root by name, without the right to read what is closed. */
async function readWithoutRights(path: readonly string[]): Promise<unknown> {
  const module = new URL('plain-file.ts', import.meta.url).href;
  const program = `
    const { readPlainFile } = await import(${JSON.stringify(module)});
    const read = readPlainFile(${JSON.stringify(folder)}, ${JSON.stringify(path)}, 100);
    console.log(await read.then(String, (error) => JSON.stringify(error.failures ?? error.message)));`;
  const node = [process.execPath, '--input-type=module', '--eval', program];
  const rightless = ['setpriv', '--bounding-set=-all', '--inh-caps=-all', ...node];
  const [command = '', ...args] = process.getuid?.() === 0 ? rightless : node;
  const { stdout } = await run(command, args, { cwd: folder });
  return JSON.parse(stdout.toString());
}

test.for([[['file']], [['closed', 'file']]])(
  '%j, which code of a ref closed to everybody, is strange and no bug',
  async ([path]) => {
    expect(await readWithoutRights(path ?? [])).toMatchObject([
      { reason: 'strange-output', detail: expect.stringContaining('it cannot be read') },
    ]);
  },
);
