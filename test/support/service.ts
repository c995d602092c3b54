import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { removeStepFolder } from '../../src/adapters/processes/contained-process.ts';
import type { Build } from '../../src/builds/build.ts';
import type { BuildEvent } from '../../src/builds/event.ts';
import { parseEvents } from '../../src/cli/parse-events.ts';
import type { DemoWorld } from './demo-world.ts';

/** Who runs the programs of a rig. */
export interface Person {
  /** Where they see the checkout. */
  readonly checkout: string;
  readonly home: string;
  /** Program and arguments that run Node with `args` as this person. */
  command(args: readonly string[]): readonly string[];
  /** Gives them a file or folder with all in it. */
  own(path: string): void;
}

/** Whoever runs the tests. */
export const ourselves: Person = {
  checkout: join(import.meta.dirname, '../..'),
  home: process.env['HOME'] ?? '/',
  command: (args) => [process.execPath, '--use-system-ca', ...args],
  own: () => {},
};

/** A state folder, a configuration and a remote of a test's own; the service can be started, killed and started again on it. */
export interface ServiceRig {
  readonly state: string;
  readonly configuration: string;
  /** `REGISTRY/PATH` that it pushes to. */
  readonly remote: string;
  start(): Promise<RunningService>;
  /** Runs `tributary ARGS` by itself on this state. */
  cli(...args: readonly string[]): Promise<CliEnd>;
  /** The same, for a test that does something to it while it runs. */
  startCli(...args: readonly string[]): StartedCli;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface CliEnd {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `tributary ARGS` as a process. */
export interface StartedCli {
  readonly pid: number;
  readonly ended: Promise<CliEnd>;
  /** What it printed until now. */
  stdout(): string;
}

/** `tributary serve` as a process. */
export interface RunningService {
  readonly url: string;
  readonly pid: number;
  /** What it printed until now, both streams. */
  printed(): string;
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Sends a request body as JSON; gives status and parsed answer. */
  post(path: string, body?: unknown): Promise<{ status: number; body: Json }>;
  get(path: string): Promise<{ status: number; body: Json }>;
  /** Waits until the build has ended; `minutes`: at most, four unless told. */
  ended(tag: string, minutes?: number): Promise<Build>;
  /** Follows a build, from its first attempt on, until an event is the one; gives all until then. */
  until(tag: string, isIt: (event: BuildEvent) => boolean): Promise<readonly BuildEvent[]>;
}

/** What a rig may have of its own. */
export interface RigOptions {
  /** Makes the text of a product file; default: the demo's. */
  readonly product?: (world: DemoWorld) => string;
  /** `REGISTRY/PATH` to push to; default: one of its own. */
  readonly remote?: string;
  /** Where its state folder is made; default: among the temporary files of the machine. */
  readonly folder?: string;
  /** Who runs service and commands; default: whoever runs the tests. */
  readonly as?: Person;
  /** Variables of theirs, besides the usual ones. */
  readonly environment?: Readonly<Record<string, string>>;
}

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked into by the test, field by field.
export type Json = any;

/** Makes a rig on the demo world; `configuration` adds to what it says. */
export function serviceRig(
  world: DemoWorld,
  configuration: Readonly<Record<string, unknown>> = {},
  options: RigOptions = {},
): ServiceRig {
  const { product = (demo) => readFileSync(demo.product, 'utf8'), as = ourselves } = options;
  const state = mkdtempSync(join(options.folder ?? tmpdir(), 'tributary-state-'));
  const remote = options.remote ?? `${world.registry}/${randomBytes(4).toString('hex')}`;
  const file = join(state, 'configuration.yaml');
  const { remotes, ...others } = configuration as { remotes?: object };
  writeFileSync(
    file,
    stringify({
      state,
      listen: '127.0.0.1:0',
      urls: { 'https://github.com/': world.git },
      mirrors: { 'registry.example.com': world.registry },
      remotes: { demo: { push: remote, insecure: true, default: true }, ...remotes },
      tools: { kustomize: join(as.checkout, '.tools/bin/kustomize') },
      ...others,
    }),
  );
  const productFile = join(state, 'product.yaml');
  writeFileSync(productFile, product(world));
  // Temporary files of all that it runs: what it forgets is seen.
  mkdirSync(join(state, 'temporary'));
  as.own(state);
  const running = new Set<RunningService>();
  const begin = (args: readonly string[]) =>
    startCli(as, state, [...args, '--config', file, '--product', productFile], options.environment);
  return {
    state,
    configuration: file,
    remote,
    async start() {
      const service = await startService(state, () => begin(['serve']));
      running.add(service);
      return service;
    },
    cli: (...args) => watch(begin(args)).ended,
    startCli: (...args) => watch(begin(args)),
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((service) => service.stop()));
      await removeStepFolder(state);
    },
  };
}

function startCli(
  as: Person,
  state: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const [program = '', ...rest] = as.command([join(as.checkout, 'src/cli.ts'), ...args]);
  return spawn(program, rest, {
    cwd: '/',
    env: {
      PATH: `${join(as.checkout, '.tools/bin')}:${process.env['PATH']}`,
      HOME: as.home,
      TMPDIR: join(state, 'temporary'),
      LANG: 'C.UTF-8',
      ...environment,
    },
  });
}

function watch(child: ChildProcess): StartedCli {
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (piece: Buffer) => (output.stdout += piece));
  child.stderr?.on('data', (piece: Buffer) => (output.stderr += piece));
  const ended = once(child, 'close').then(([exitCode]) => ({
    exitCode: exitCode as number | null,
    ...output,
  }));
  return { pid: child.pid ?? 0, ended, stdout: () => output.stdout };
}

async function startService(state: string, begin: () => ChildProcess): Promise<RunningService> {
  rmSync(join(state, 'service.json'), { force: true });
  const child = begin();
  const exited = once(child, 'close');
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (piece: Buffer) => output.push(piece.toString()));
  const url = await listeningUrl(state, child, output);
  const call = async (path: string, init?: RequestInit) => {
    const response = await fetch(new URL(path, url), {
      ...init,
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    return { status: response.status, body: parsed(text) };
  };
  const post = (path: string, body?: unknown) =>
    call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body ?? {}),
    });
  const get = (path: string) => call(path);
  return {
    url,
    pid: child.pid ?? 0,
    printed: () => output.join(''),
    post,
    get,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
    async ended(tag, minutes = 4) {
      const stream = await fetch(new URL(`/api/builds/${tag}/events`, url), {
        signal: AbortSignal.timeout(minutes * 60_000),
      });
      await stream.text();
      return (await get(`/api/builds/${tag}`)).body as Build;
    },
    async until(tag, isIt) {
      const signal = AbortSignal.timeout(120_000);
      const stream = await fetch(new URL(`/api/builds/${tag}/events`, url), { signal });
      const events: BuildEvent[] = [];
      for await (const { event } of parseEvents(stream.body ?? new ReadableStream())) {
        events.push(event);
        if (isIt(event)) return events;
      }
      throw new Error(`the build ended first: ${JSON.stringify(events.at(-1))}`);
    },
  };
}

/** The service writes its address when it listens. */
async function listeningUrl(
  state: string,
  child: ChildProcess,
  output: readonly string[],
): Promise<string> {
  const file = join(state, 'service.json');
  for (const started = Date.now(); Date.now() - started < 30_000; ) {
    if (existsSync(file)) {
      const { url } = parsed(readFileSync(file, 'utf8')) ?? {};
      if (typeof url === 'string') return url;
    }
    if (child.exitCode !== null) break;
    await new Promise((done) => setTimeout(done, 25));
  }
  child.kill('SIGKILL');
  throw new Error(`tributary serve did not start:\n${output.join('')}`);
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
