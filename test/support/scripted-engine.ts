import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startContained } from '../../src/adapters/processes/contained-process.ts';
import { openSqliteStore } from '../../src/adapters/storage/sqlite-store.ts';
import type { Behavior, EngineRig, ScriptedStep } from '../../src/engine/engine-rig.ts';
import {
  createLocalEngine,
  type LocalEngineOptions,
} from '../../src/engine/local/create-local-engine.ts';
import { outputOf } from './scripted-output.ts';

const program = fileURLToPath(new URL('scripted-step.sh', import.meta.url));

/** The local engine over real, small processes that do as they are told. */
export interface LocalRig extends EngineRig {
  readonly folder: string;
  readonly state: string;
  /** Whether a step that hangs once does so, or did. */
  again(name: string, step: string): Promise<boolean>;
  /** Which process ran each unit of a build, in the order in which they began. */
  ranBy(name: string): Promise<readonly string[]>;
  /** Kills the process of a step from outside. */
  killStep(step: string): Promise<void>;
  /** A further engine on the same state folder, as a second process would have. */
  another(
    options?: Partial<LocalEngineOptions>,
  ): Promise<{ engine: LocalRig['engine']; close(): Promise<void> }>;
}

/** Makes a local engine in a new folder. `stepMinutes`: how long a step may take. */
export async function makeLocalRig(
  options: Partial<LocalEngineOptions> & { readonly stepMinutes?: number } = {},
): Promise<LocalRig> {
  const folder = await mkdtemp(join(tmpdir(), 'tributary-engine-'));
  const rig = await openLocalRig(folder, options);
  return {
    ...rig,
    async close() {
      await rig.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The same in a folder that exists already, which stays. */
export async function openLocalRig(
  folder: string,
  options: Partial<LocalEngineOptions> & { readonly stepMinutes?: number } = {},
): Promise<LocalRig> {
  const state = join(folder, 'state');
  const scripts = join(folder, 'scripts');
  await mkdir(state, { recursive: true });
  const another = async (more: Partial<LocalEngineOptions> = {}) => {
    const store = openSqliteStore(join(state, 'tributary.sqlite'));
    const engine = createLocalEngine({
      ...{ store, state, work: 'all', now: () => new Date(), notify: () => {} },
      toolSet: async () => 'this version',
      steps: {
        startContained,
        command: ['sh', program, scripts],
        stepMinutes: options.stepMinutes ?? 1,
        logBytes: 2 ** 24,
      },
      report: (text, error) => {
        throw new Error(text, { cause: error });
      },
      ...{ ...options, ...more },
      limits: { builds: 2, steps: 2, keepDays: 14, ...options.limits, ...more.limits },
    });
    const close = async () => {
      await engine.close();
      store.close();
    };
    return { engine, close };
  };
  const { engine, close } = await another();
  return {
    ...{ folder, state, engine, close, another },
    traits: { queue: true, needs: 'any', cancelMilliseconds: 2000, plans: 8 },
    script: (name, steps, prepare = 'finish') => writeScripts(join(scripts, name), steps, prepare),
    release: async (name) => writeFile(join(scripts, name, 'released'), ''),
    starts: async (name, step) => {
      const file = join(scripts, name, `${step.replaceAll('/', '~')}.starts`);
      return (await readFile(file, 'utf8').catch(() => '')).length;
    },
    processes: async () => (await processesNaming(scripts)).length,
    again: async (name, step) => {
      const file = join(scripts, name, `${step.replaceAll('/', '~')}.again`);
      return (await readFile(file, 'utf8').catch(() => '')).length > 0;
    },
    ranBy: async (name) =>
      (await readFile(join(scripts, name, 'processes'), 'utf8')).trim().split('\n'),
    killStep: async (step) => {
      const own = (await processesNaming(scripts)).filter(({ words }) => words.includes(step));
      // The innermost: those before it only made its namespaces.
      const innermost = own.filter(({ words }) => words[0] === 'sh').at(-1);
      if (innermost === undefined) throw new Error(`${step} does not run`);
      process.kill(innermost.pid, 'SIGKILL');
    },
  };
}

async function writeScripts(
  folder: string,
  steps: readonly ScriptedStep[],
  prepare: Behavior,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await rm(join(folder, 'released'), { force: true });
  const report: ScriptedStep = { id: 'report', needs: steps.map(({ id }) => id) };
  const all = steps.some(({ id }) => id === 'report') ? steps : [...steps, report];
  const plan = {
    madeBy: 'this version',
    patches: [],
    steps: all.map(({ id, needs = [], group = id, weight = 1 }) => ({
      ...{ id, needs, group, weight, kind: id.split('/')[0], key: null },
    })),
  };
  await writeFile(join(folder, 'plan.json'), JSON.stringify(plan));
  for (const step of [...all, { id: 'prepare', does: prepare }]) {
    const file = join(folder, `${step.id.replaceAll('/', '~')}.sh`);
    await writeFile(file, renderScript(folder, step));
  }
}

function renderScript(folder: string, step: ScriptedStep): string {
  const lines = (step.logs ?? []).map((line) => `printf '%s\\n' '${line}'`);
  if (step.id === 'prepare') lines.push(`cp '${folder}/plan.json' "$plan"`);
  return [...lines, renderBehavior(folder, step), ''].join('\n');
}

function renderBehavior(folder: string, { id, does = 'finish' }: ScriptedStep): string {
  const finish = (reused: boolean) =>
    tell({ kind: 'step-finished', step: id, output: outputOf(id, reused) });
  const fail = (reason: string) =>
    `${tell({ kind: 'step-failed', step: id, failures: [{ reason, detail: 'It failed.', hint: 'Mend it.' }] })}\nexit 3`;
  switch (does) {
    case 'finish':
      return finish(false);
    case 'reuse':
      return finish(true);
    case 'fail':
      return fail('image-build-failed');
    case 'fail-infrastructure':
      return fail('registry-unavailable');
    case 'crash':
      return 'exit 7';
    case 'hang':
      return 'sleep 1000';
    case 'hang-once':
      return `[ -s '${folder}/${id.replaceAll('/', '~')}.again' ] || { echo x >'${folder}/${id.replaceAll('/', '~')}.again'; sleep 1000; }\n${finish(false)}`;
    case 'wait':
      // A process below the step's own must end with it too.
      return `tail -f '${folder}/plan.json' >/dev/null & while [ ! -e '${folder}/released' ]; do sleep 0.02; done\nkill $!\necho released\n${finish(false)}`;
    default:
      return does satisfies never;
  }
}

function tell(message: object): string {
  return `tell '${JSON.stringify(message)}'`;
}

/** Processes whose command line names the scripts of a rig and steps; not those that wait for work. */
async function processesNaming(scripts: string) {
  const found: { readonly pid: number; readonly words: readonly string[] }[] = [];
  for (const pid of await readdir('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (command.includes(scripts) && command.includes('--plan'))
      found.push({ pid: Number(pid), words: command.split('\0') });
  }
  return found;
}
