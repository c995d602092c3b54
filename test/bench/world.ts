import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { anyPorts, startDemoEnvironment } from '../../examples/demo-environment.ts';
import type { DemoSize } from '../../examples/make-repositories.ts';
import type { Build } from '../../src/builds/build.ts';
import { baseRegistry } from '../support/base-registry.ts';
import type { DemoWorld } from '../support/demo-world.ts';
import type { RunningService } from '../support/service.ts';

/** The demo's outside world, for measurements. */
export interface BenchWorld extends DemoWorld, AsyncDisposable {
  readonly folder: string;
  readonly size: DemoSize;
}

/** Starts git server and registry in a new folder. */
export async function startBenchWorld(size: DemoSize): Promise<BenchWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-bench-'));
  const kept = existsSync(baseRegistry);
  if (kept) cpSync(baseRegistry, join(folder, 'registry'), { recursive: true });
  const world = await startDemoEnvironment(folder, anyPorts, size);
  if (!kept) {
    mkdirSync(join(baseRegistry, '..'), { recursive: true });
    cpSync(join(folder, 'registry'), baseRegistry, { recursive: true });
  }
  return {
    ...{ folder, size, registry: world.registry, git: world.git, product: world.product },
    repositories: join(folder, 'repositories'),
    async [Symbol.asyncDispose]() {
      await world.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A request and its build, with the milliseconds from the request to the end; `answered` hears of the answer. */
export async function timedBuild(
  service: RunningService,
  name: string,
  components: Readonly<Record<string, string>>,
  answered: (build: Build) => void = () => {},
): Promise<{ build: Build; milliseconds: number }> {
  const began = performance.now();
  const { status, body } = await service.post('/', { name, components });
  if (status !== 201) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`);
  answered(body);
  const build = await service.ended(body.tag, 30);
  const milliseconds = performance.now() - began;
  if (build.state !== 'succeeded') throw new Error(`${name}: ${JSON.stringify(build.failure)}`);
  return { build, milliseconds };
}

/** Resident memory of a process alone, in MB of a million bytes. */
export function memoryOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(status)?.[1]) * 1024) / 1e6;
}

/**
 * Milliseconds that the processors of this machine were busy since it started. All of it: a build works in processes that nobody
 * waits for, and nothing else is to run beside a benchmark.
 */
export function busyProcessors(): number {
  const [all = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  // proc(5): user, nice, system, idle, iowait, irq, softirq, steal.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = all
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return ((user + nice + system + irq + softirq) / ticks) * 1000;
}

/** Tells on stderr what is being measured. */
export function say(text: string): void {
  process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}
