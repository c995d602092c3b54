import { spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { runningNode } from '../test/cluster/node.ts';

/**
 * Everything that must hold before a change lands: one line for each check, output only where it fails; then the tests, those
 * that need a cluster last. `--static`: without the tests.
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

const passed = process.argv.includes('--static') ? await runChecks() : await runAll();
process.exitCode = passed ? 0 : 1;

async function runAll(): Promise<boolean> {
  // Each suite adds what it took and what failed, so that the last one ends the output with all of it.
  const summary = join(tmpdir(), `tributary-summary-${process.pid}.json`);
  process.env['TRIBUTARY_SUMMARY'] = summary;
  process.once('exit', () => rmSync(summary, { force: true }));
  const impossible = await whyNoCluster();
  // From nothing they take minutes, which the tests that need no cluster leave to them.
  const setUp = givenCluster() ? ['true'] : ['nice', 'scripts/setup.sh', 'cluster'];
  const programs = impossible === undefined ? run(...setUp) : undefined;

  const passed = [await timed('static checks', runChecks)];
  passed.push((await inherit('vitest', 'run', '--project', 'unit', '--project', 'integration')).ok);
  if (programs === undefined) say(`\nWithout the tests on a cluster. ${impossible}`);
  else passed.push(await runOnCluster(programs));
  return passed.every(Boolean);

  async function timed(suite: string, work: () => Promise<boolean>): Promise<boolean> {
    const began = Date.now();
    const ok = await work();
    const took = (Date.now() - began) / 1000;
    const { suites = [], ...rest } = readJson(summary);
    writeFileSync(summary, JSON.stringify({ ...rest, suites: [...suites, { suite, took }] }));
    return ok;
  }

  /** On that of E2E_KUBECONFIG, or on one that ends with the tests unless it ran before. */
  async function runOnCluster(programs: Promise<Ran>): Promise<boolean> {
    if (givenCluster()) return (await inherit('vitest', 'run', '--project', 'e2e')).ok;
    const ranBefore = runningNode() !== undefined;
    const end = async () => ranBefore || (await inherit('make', '--silent', 'cluster-down')).ok;
    const interrupted = () => void end().finally(() => process.exit(130));
    process.once('SIGINT', interrupted);
    say('\nThe cluster for the tests on one:');
    const up = await timed('cluster', async () => {
      const { ok, output } = await programs;
      if (!ok) say(output);
      return ok && (await inherit('make', '--silent', 'cluster')).ok;
    });
    const passed = up && (await inherit('vitest', 'run', '--project', 'e2e')).ok;
    process.off('SIGINT', interrupted);
    return (await end()) && passed;
  }
}

/** Why there will be no tests on a cluster: a line. CI always runs them. */
async function whyNoCluster(): Promise<string | undefined> {
  if (givenCluster()) return;
  const { ok, output } = await run('test/cluster/possible.sh');
  return ok || process.env['CI'] ? undefined : output.trim();
}

function givenCluster(): boolean {
  return Boolean(process.env['E2E_KUBECONFIG']);
}

/** Runs them two at a time, for most use one core; tells them in order. */
async function runChecks(): Promise<boolean> {
  const limit = pLimit(2);
  const running = checks.map(([title, command]) => [title, limit(() => run(...command))] as const);
  let passed = true;
  for (const [title, check] of running) {
    const { ok, seconds, output } = await check;
    say(`${ok ? 'ok    ' : 'FAILED'} ${title} (${seconds.toFixed(1)} s)`);
    if (!ok) say(output);
    passed &&= ok;
  }
  return passed;
}

interface Ran {
  readonly ok: boolean;
  readonly seconds: number;
  readonly output: string;
}

/** Runs a command, and keeps what it prints. */
function run(...command: readonly string[]): Promise<Ran> {
  return start(command, 'pipe');
}

/** Runs a command that speaks for itself. */
function inherit(...command: readonly string[]): Promise<Ran> {
  return start(command, 'inherit');
}

function start(
  [program = '', ...args]: readonly string[],
  stdio: 'pipe' | 'inherit',
): Promise<Ran> {
  const began = Date.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', stdio, stdio] });
    let output = '';
    child.stdout?.on('data', (piece: Buffer) => (output += piece));
    child.stderr?.on('data', (piece: Buffer) => (output += piece));
    child.once('error', reject);
    child.once('close', (status) =>
      resolve({ ok: status === 0, seconds: (Date.now() - began) / 1000, output }),
    );
  });
}

function readJson(file: string) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return {};
  }
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
