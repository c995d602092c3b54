import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behavior, ScriptedStep } from '../../src/engine/engine-rig.ts';
import type { Lock } from '../../src/plan/lock.ts';
import type { Registry } from '../../src/steps/step.ts';
import { outcomeReference, writeOutcome } from '../../src/steps/task-outcome.ts';
import { writeTaskPlan } from '../../src/steps/task-plan.ts';
import { scriptedPlan } from './scripted-plan.ts';
import { ScriptedTask, type Told } from './scripted-task.ts';

/** Tells pods that run `scripted-task.sh` what to print, and leaves in the registry what real tasks leave there. */
export interface TaskServer {
  /** `http://host:port` */
  readonly url: string;
  script(name: string, steps: readonly ScriptedStep[], prepare: Behavior): void;
  release(name: string): void;
  starts(name: string, step: string): number;
  close(): Promise<void>;
}

interface Script {
  readonly steps: readonly ScriptedStep[];
  readonly released: PromiseWithResolvers<void>;
}

/** Who asks, by the path that it asks for. */
interface Container {
  readonly phase: string;
  readonly run: string;
  readonly unit: string;
  /** Of the build. */
  readonly name: string;
  readonly answer: ServerResponse;
}

/** Starts the server on an address that pods reach. */
export async function startTaskServer(
  host: string,
  registry: Registry,
  lock: Lock,
): Promise<TaskServer> {
  const scripts = new Map<string, Script>();
  const starts = new Map<string, number>();
  /** What each task told so far: its last container keeps it. */
  const told = new Map<string, Told>();
  const folder = await mkdtemp(join(tmpdir(), 'tributary-tasks-'));

  const runSteps = async (script: Script, container: Container, mine: Told) => {
    const { phase, run, unit, name, answer } = container;
    const { plan, units, assemble } = scriptedPlan(script.steps, lock);
    const ids = { run: units[unit], assemble, prepare: ['prepare'], report: ['report'] }[phase];
    const scripted = new ScriptedTask(answer, mine, {
      released: script.released.promise,
      started: (id) => starts.set(`${name} ${id}`, (starts.get(`${name} ${id}`) ?? 0) + 1),
      plan: () => writeTaskPlan(registry, folder, run, { plan, held: [], units }),
      units,
    });
    const steps = (ids ?? []).map((id) => script.steps.find((one) => one.id === id) ?? { id });
    return scripted.runSteps(steps);
  };

  /** What a container does; its exit code. */
  const play = async (container: Container): Promise<number> => {
    const { phase, run, name } = container;
    const script = scripts.get(name);
    if (script === undefined) return 8;
    if (phase === 'fetch') return 0;
    const task = taskOf(container);
    const mine = told.get(`${run}.${task}`) ?? { messages: [], logs: new Map(), exit: 0 };
    told.set(`${run}.${task}`, mine);
    if (phase !== 'push') {
      const exit = await runSteps(script, container, mine);
      if (exit === undefined) return 7;
      mine.exit = exit;
      if (phase === 'run') return exit;
    }
    const { messages, logs } = mine;
    const reference = outcomeReference({ lock }, run, task);
    await writeOutcome(registry, folder, reference, { messages, logs });
    return mine.exit;
  };

  const server = createServer((request, answer) => {
    void play(containerOf(request.url ?? '', answer)).then((exit) => {
      if (!answer.destroyed) answer.end(`exit ${exit}\n`);
    });
  });
  server.listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host}:${port}`,
    script: (name, steps, prepare) =>
      void scripts.set(name, {
        steps: [{ id: 'prepare', does: prepare }, ...steps],
        released: Promise.withResolvers(),
      }),
    release: (name) => scripts.get(name)?.released.resolve(),
    starts: (name, step) => starts.get(`${name} ${step}`) ?? 0,
    async close() {
      server.closeAllConnections();
      server.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function containerOf(path: string, answer: ServerResponse): Container {
  const [, phase = '', run = '', unit = '', tag = ''] = path.split('/');
  return { phase, run, unit, name: tag.slice(0, tag.lastIndexOf('-')), answer };
}

function taskOf({ phase, unit }: Container): string {
  if (/^\d/.test(unit)) return `images-${unit}`;
  return unit === 'none' ? phase : unit;
}
