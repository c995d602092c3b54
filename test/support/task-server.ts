import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Behavior } from '../../src/engine/engine-rig.ts';
import type { Registry } from '../../src/steps/step.ts';
import { outcomeReference, writeOutcome } from '../../src/steps/task-outcome.ts';
import { writeTaskPlan } from '../../src/steps/task-plan.ts';
import { type PlanBase, scriptedPlan } from './scripted-plan.ts';
import { ScriptedTask, type TaskStep, type Told } from './scripted-task.ts';

/** Tells pods that run `scripted-task.sh` what to print, and leaves in the registry what real tasks leave there. */
export interface TaskServer {
  /** `http://host:port` */
  readonly url: string;
  script(name: string, steps: readonly TaskStep[], prepare?: Behavior): void;
  release(name: string): void;
  starts(name: string, step: string): number;
  close(): Promise<void>;
}

interface Script {
  readonly steps: readonly TaskStep[];
  readonly released: PromiseWithResolvers<void>;
}

/** Who asks, by the path that it asks for. */
interface Container {
  readonly phase: string;
  readonly run: string;
  readonly unit: string;
  /** Of the build. */
  readonly name: string;
  /** Exit code of `run`, as `push` knows it. */
  readonly ran: number | undefined;
  readonly answer: ServerResponse;
}

/**
 * Starts the server on an address that pods reach. `baseOf`: what the plan of a run has besides its steps. `realReport`: the report is made by
 * a real task of its own.
 */
export async function startTaskServer(
  host: string,
  registry: Registry,
  baseOf: (run: string) => Promise<PlanBase>,
  { realReport = false } = {},
): Promise<TaskServer> {
  const scripts = new Map<string, Script>();
  const starts = new Map<string, number>();
  /** What each task told so far: its last container keeps it. */
  const told = new Map<string, Told>();
  const folder = await mkdtemp(join(tmpdir(), 'tributary-tasks-'));

  /** What a container is to do, with the steps that are its own. */
  const scriptedTask = async (script: Script, container: Container, mine: Told) => {
    const { phase, run, unit, name, answer } = container;
    const { plan, units, assemble: all } = scriptedPlan(script.steps, await baseOf(run));
    const assemble = realReport ? all.filter((id) => id !== 'report') : all;
    const ids = { run: units[unit], assemble, prepare: ['prepare'], report: ['report'] }[phase];
    const scripted = new ScriptedTask(answer, mine, {
      released: script.released.promise,
      started: (id) => starts.set(`${name} ${id}`, (starts.get(`${name} ${id}`) ?? 0) + 1),
      plan: () => writeTaskPlan(registry, folder, run, { plan, held: [], units }),
      units,
    });
    const steps = (ids ?? []).map((id) => script.steps.find((one) => one.id === id) ?? { id });
    return { scripted, steps };
  };

  /** What a container does; its exit code. */
  const play = async (container: Container): Promise<number> => {
    const { phase, run, name, ran } = container;
    const script = scripts.get(name);
    if (script === undefined) return 8;
    if (phase === 'fetch') return 0;
    const task = taskOf(container);
    const nothing: Told = { messages: [], logs: new Map(), exit: undefined };
    const mine = (phase === 'push' && told.get(`${run}.${task}`)) || nothing;
    told.set(`${run}.${task}`, mine);
    const { scripted, steps } = await scriptedTask(script, container, mine);
    if (phase === 'push') return keep(container, mine, mine.exit ?? scripted.crashed(ran));
    mine.exit = await scripted.runSteps(steps);
    if (mine.exit === undefined) return 7;
    return phase === 'run' ? mine.exit : keep(container, mine, mine.exit);
  };

  const keep = async (container: Container, { messages, logs }: Told, exit: number) => {
    const { run } = container;
    const reference = outcomeReference(await baseOf(run), run, taskOf(container));
    await writeOutcome(registry, folder, reference, { messages, logs });
    return exit;
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
    script: (name, steps, prepare = 'finish') =>
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
  const [, phase = '', run = '', unit = '', tag = '', ran] = path.split('/');
  const name = tag.slice(0, tag.lastIndexOf('-'));
  return { phase, run, unit, name, ran: ran === 'none' ? undefined : Number(ran), answer };
}

function taskOf({ phase, unit }: Container): string {
  if (/^\d/.test(unit)) return `images-${unit}`;
  return unit === 'none' ? phase : unit;
}
