import { spawn, spawnSync } from 'node:child_process';
import pLimit from 'p-limit';

/**
 * Everything that must hold before a change lands: one line each, output only where it fails; then the tests.
 * `--static`: without the tests. Other arguments are vitest's.
 */
const checks: readonly [string, string[]][] = [
  ['format and lint', ['biome', 'ci', '--colors=off', '--error-on-warnings', '.']],
  // Rules that need types take most of a minute: kept out of biome.json, so that editors and `biome check` stay quick.
  [
    'promises',
    [
      'biome',
      'lint',
      '--colors=off',
      '--only=nursery/noFloatingPromises',
      '--only=nursery/noMisusedPromises',
      'src',
    ],
  ],
  ['types', ['tsc', '--noEmit']],
  ['import rules', ['depcruise', '--config', '.dependency-cruiser.mjs', 'src', 'examples', 'test']],
  ['unused code', ['knip']],
  ['generated files', ['node', 'scripts/generate.ts', '--check']],
];
const given = process.argv.slice(2);

const started = Date.now();
const passed = await runChecks();
const seconds = (Date.now() - started) / 1000;
if (given.includes('--static')) process.exitCode = passed ? 0 : 1;
else {
  const env = { ...process.env, TRIBUTARY_STATIC_SECONDS: String(seconds) };
  const tests = spawnSync('vitest', ['run', ...given], { stdio: 'inherit', env });
  process.exitCode = passed && tests.status === 0 ? 0 : 1;
}

/** Runs them two at a time, for most use one core; tells them in order. */
async function runChecks(): Promise<boolean> {
  const limit = pLimit(2);
  const running = checks.map(
    ([title, command]) => [title, limit(() => runCheck(command))] as const,
  );
  let passed = true;
  for (const [title, check] of running) {
    const { ok, seconds, output } = await check;
    process.stdout.write(`${ok ? 'ok    ' : 'FAILED'} ${title} (${seconds.toFixed(1)} s)\n`);
    if (!ok) process.stdout.write(`${output}\n`);
    passed &&= ok;
  }
  return passed;
}

function runCheck([program = '', ...args]: string[]) {
  const started = Date.now();
  return new Promise<{ ok: boolean; seconds: number; output: string }>((resolve, reject) => {
    const child = spawn(program, args);
    let output = '';
    child.stdout.on('data', (piece: Buffer) => (output += piece));
    child.stderr.on('data', (piece: Buffer) => (output += piece));
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({ ok: status === 0, seconds: (Date.now() - started) / 1000, output }),
    );
  });
}
