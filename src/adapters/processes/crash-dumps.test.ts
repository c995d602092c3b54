import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from './command.ts';

/** What dies of itself, with a secret in its environment and memory. */
const deaths = {
  'meets a fault': ['perl', '-e', 'unpack "p", pack "L!", 1'],
  'gives up as Node does': [
    process.execPath,
    '-e',
    'globalThis.kept = JSON.stringify(process.env); process.abort()',
  ],
} as const;

const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

/** Lets a step's process die so; gives its end, what it printed, and what lies in its folder. */
async function die(command: readonly string[], forbid: boolean) {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-crash-'));
  const program = `
    import { forbidCoreDumps } from ${module('./forbid-core-dumps.ts')};
    import { startContained } from ${module('./contained-process.ts')};
    if (${forbid}) await forbidCoreDumps();
    const child = await startContained(${JSON.stringify(command)}, ${JSON.stringify(folder)});
    for (const stream of [child.stdout, child.stderr, child.fd3]) stream.pipe(process.stdout);
    console.log(await child.exited);`;
  try {
    const args = [
      '--core=unlimited:unlimited',
      process.execPath,
      '--input-type=module',
      '-e',
      program,
    ];
    const { stdout, stderr } = await run('prlimit', args, {
      ...{ cwd: folder, env: { TRIBUTARY_TEST_SECRET: secret } },
    });
    return { printed: `${stdout}${stderr}`, left: await readdir(folder) };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const secret = 'planted-secret-4711';

test.for(Object.entries(deaths))(
  'a process that %s leaves no file and does not print its secrets',
  async ([, command]) => {
    const { printed, left } = await die(command, true);
    expect(printed).toMatch(/SIG(SEGV|ABRT|ILL|TRAP)|exitCode: 13\d/);
    expect(printed).not.toContain(secret);
    expect(left).toEqual([]);
  },
);

test('without that it would leave its memory where this machine keeps it in a file', async (context) => {
  const pattern = (await readFile('/proc/sys/kernel/core_pattern', 'utf8')).trim();
  if (pattern !== 'core' || process.getuid?.() !== 0) context.skip('dumps go elsewhere');
  const { left } = await die(deaths['meets a fault'], false);
  expect(left).toEqual([expect.stringMatching(/^core/)]);
});
