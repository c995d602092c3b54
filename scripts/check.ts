import { spawnSync } from 'node:child_process';

/**
 * Everything that must hold before a change lands: one line each, output only where it fails; then the tests.
 * `--static`: without the tests. Other arguments are vitest's.
 */
const checks: readonly [string, string[]][] = [
  ['format and lint', ['biome', 'ci', '--error-on-warnings', '.']],
  // Rules that need types take most of a minute: kept out of biome.json, so that editors and `biome check` stay quick.
  [
    'promises',
    [
      'biome',
      'lint',
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

const passed = runChecks();
if (given.includes('--static')) process.exitCode = passed ? 0 : 1;
else {
  const tests = spawnSync('vitest', ['run', ...given], { stdio: 'inherit' });
  process.exitCode = passed && tests.status === 0 ? 0 : 1;
}

function runChecks(): boolean {
  let passed = true;
  for (const [title, [program = '', ...args]] of checks) {
    const started = Date.now();
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    process.stdout.write(`${status === 0 ? 'ok    ' : 'FAILED'} ${title} (${seconds} s)\n`);
    if (status !== 0) process.stdout.write(`${stdout}${stderr}\n`);
    passed &&= status === 0;
  }
  return passed;
}
