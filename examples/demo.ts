import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  answers,
  type DemoEnvironment,
  startDemoEnvironment,
  startProgram,
  usualPorts,
} from './demo-environment.ts';
import { isRunning, type StartedProcess, startedProcess } from './started-process.ts';

/**
 * `make demo`: the whole job on this machine, for real. KEEP=1 leaves service, git server and registry running; `make demo-down` ends them.
 */
const checkout = join(import.meta.dirname, '..');
const folder = join(checkout, '.demo');
const running = join(folder, 'processes.json');
const tributary = join(checkout, 'src/cli.ts');
const keep = (process.env['KEEP'] ?? '') !== '';

/** The request of the proposal, as it stands there. */
const request = `{
    "name": "test-my-thing",
    "components": {
        "tektoncd/pipeline": "tektoncd/pipeline#4638"
    }
}`;

if (process.argv[2] === 'down') down();
else process.exitCode = await demo();

async function demo(): Promise<number> {
  down();
  // A demo shows a build, so the service begins with no builds; what the registry holds is reused.
  const database = ['tributary.sqlite', 'tributary.sqlite-wal', 'tributary.sqlite-shm'];
  for (const name of [...database, 'logs', 'runs'])
    rmSync(join(folder, 'state', name), { recursive: true, force: true });
  title('A git server and a registry for the demo product (examples/demo)');
  const environment = await startDemoEnvironment(folder, usualPorts, 'real', (text) =>
    print(`  ${text}`),
  );
  const stop = () => down();
  process.once('exit', () => keep || stop());
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => process.exit(130));

  // What runs is known before anything else can fail.
  remember(environment);

  title('The service');
  const url = await startService(environment);
  remember(environment);

  title('The request of the proposal');
  const answer = await post(url);
  print(answer);
  const tag = tagOf(answer);
  if (tag === undefined) return 1;

  title('The build');
  const code = await run(process.execPath, [tributary, 'status', tag, '--follow', '--server', url]);
  if (code === 0) {
    title('Install and remove it');
    await run(process.execPath, [tributary, 'install', tag, '--server', url]);
  }
  if (keep) leaveRunning(environment, url, tag);
  return code;
}

async function startService({
  configuration,
  product,
  processes,
}: DemoEnvironment): Promise<string> {
  const url = `http://${/^listen: (.*)$/m.exec(readFileSync(configuration, 'utf8'))?.[1]}`;
  const child = startProgram(folder, 'service', process.execPath, [
    tributary,
    'serve',
    '--config',
    configuration,
    '--product',
    product,
  ]);
  Object.assign(processes, { service: child });
  const ended = new Promise<never>((_, reject) =>
    child.once('exit', () => reject(new Error(readFileSync(join(folder, 'service.log'), 'utf8')))),
  );
  await Promise.race([answers(`${url}/healthz`), ended]);
  print(`  ${url}`);
  return url;
}

/** Sends the request with curl, as people do, and gives the answer's text. */
async function post(url: string): Promise<string> {
  print(`$ curl -s ${url} -d '${request}'`);
  const child = spawn('curl', ['-sS', url, '-d', request], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  for await (const piece of child.stdout) text += piece;
  return text;
}

function tagOf(answer: string): string | undefined {
  try {
    const { tag } = JSON.parse(answer) as { tag?: unknown };
    return typeof tag === 'string' ? tag : undefined;
  } catch {
    return undefined;
  }
}

function run(program: string, args: readonly string[]): Promise<number> {
  return new Promise((done, failed) => {
    const child = spawn(program, args, { stdio: 'inherit' });
    child.once('error', failed);
    child.once('exit', (code) => done(code ?? 130));
  });
}

function leaveRunning({ git, registry }: DemoEnvironment, url: string, tag: string): void {
  title('Left running, until `make demo-down`');
  print(`  service     ${url}   (export TRIBUTARY_SERVER=${url})`);
  print(`  git server  ${git}`);
  print(`  registry    ${registry}`);
  print(`\n  npx tributary status ${tag}`);
  print(`  npx tributary build tektoncd/pipeline#4705 --name another --server ${url}`);
}

function remember({ processes }: DemoEnvironment): void {
  const started = Object.values(processes).flatMap(({ pid }) => (pid ? [startedProcess(pid)] : []));
  writeFileSync(running, JSON.stringify(started));
}

/** Ends what a demo left running; a process that took over a pid is left alone. */
function down(): void {
  if (!existsSync(running)) return;
  const started = JSON.parse(readFileSync(running, 'utf8')) as StartedProcess[];
  for (const one of started.toReversed()) {
    if (isRunning(one)) process.kill(one.pid, 'SIGTERM');
  }
  rmSync(running);
}

function title(text: string): void {
  print(process.stdout.isTTY ? `\n\u001b[1m${text}\u001b[0m` : `\n${text}`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
