import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { Build } from '../../src/builds/build.ts';
import type { DemoWorld } from './demo-world.ts';

const checkout = join(import.meta.dirname, '../..');
const cli = join(checkout, 'src/cli.ts');

/** A state folder, a configuration and a remote of a test's own; the service can be started, killed and started again on it. */
export interface ServiceRig {
  readonly state: string;
  readonly configuration: string;
  /** `REGISTRY/PATH` that it pushes to. */
  readonly remote: string;
  start(): Promise<RunningService>;
  /** Runs `tributary ARGS` by itself on this state. */
  cli(
    ...args: readonly string[]
  ): Promise<{ exitCode: number | null; stdout: string; stderr: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `tributary serve` as a process. */
export interface RunningService {
  readonly url: string;
  readonly pid: number;
  /** Ends it with a signal and waits until it is gone. */
  stop(signal?: NodeJS.Signals): Promise<void>;
  /** Sends a request body as JSON; gives status and parsed answer. */
  post(path: string, body?: unknown): Promise<{ status: number; body: Json }>;
  get(path: string): Promise<{ status: number; body: Json }>;
  /** Waits until the build has ended, two minutes at most. */
  ended(tag: string): Promise<Build>;
}

// biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked into by the test, field by field.
export type Json = any;

/** Makes a rig on the demo world; `configuration` adds to what it says. */
export function serviceRig(
  world: DemoWorld,
  configuration: Readonly<Record<string, unknown>> = {},
): ServiceRig {
  const state = mkdtempSync(join(tmpdir(), 'tributary-state-'));
  const remote = `${world.registry}/${randomBytes(4).toString('hex')}`;
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
      tools: { kustomize: join(checkout, '.tools/bin/kustomize') },
      ...others,
    }),
  );
  const running = new Set<RunningService>();
  const files = ['--config', file, '--product', world.product];
  return {
    state,
    configuration: file,
    remote,
    async start() {
      const service = await startService(state, files);
      running.add(service);
      return service;
    },
    async cli(...args) {
      const child = spawn(process.execPath, [cli, ...args, ...files], { env: environment() });
      const output = { stdout: '', stderr: '' };
      child.stdout.on('data', (piece: Buffer) => (output.stdout += piece));
      child.stderr.on('data', (piece: Buffer) => (output.stderr += piece));
      const [exitCode] = (await once(child, 'close')) as [number | null];
      return { exitCode, ...output };
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([...running].map((service) => service.stop()));
      rmSync(state, { recursive: true, force: true });
    },
  };
}

async function startService(state: string, files: readonly string[]): Promise<RunningService> {
  rmSync(join(state, 'service.json'), { force: true });
  const child = spawn(process.execPath, [cli, 'serve', ...files], { env: environment() });
  const exited = once(child, 'close');
  const url = await listeningUrl(state, child);
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
    post,
    get,
    async stop(signal = 'SIGTERM') {
      child.kill(signal);
      await exited;
    },
    async ended(tag) {
      const stream = await fetch(new URL(`/api/builds/${tag}/events`, url), {
        signal: AbortSignal.timeout(120_000),
      });
      await stream.text();
      return (await get(`/api/builds/${tag}`)).body as Build;
    },
  };
}

/** The service writes its address when it listens. */
async function listeningUrl(state: string, child: ChildProcess): Promise<string> {
  let output = '';
  child.stdout?.on('data', (piece: Buffer) => (output += piece));
  child.stderr?.on('data', (piece: Buffer) => (output += piece));
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
  throw new Error(`tributary serve did not start:\n${output}`);
}

function environment(): NodeJS.ProcessEnv {
  return {
    PATH: `${join(checkout, '.tools/bin')}:${process.env['PATH']}`,
    HOME: process.env['HOME'],
    LANG: 'C.UTF-8',
  };
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
