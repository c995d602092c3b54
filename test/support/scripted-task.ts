import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Behavior, ScriptedStep } from '../../src/engine/engine-rig.ts';
import { type TreeFile, textFile } from '../../src/plan/file-tree.ts';
import type { Units } from '../../src/plan/plan-units.ts';
import type { StepMessage } from '../../src/steps/step-message.ts';
import type { DatedMessage } from '../../src/steps/task-output.ts';
import { nothingMade } from '../../src/steps/unit/push-unit.ts';
import { outputOf } from './scripted-output.ts';

/** A step whose container may also take more memory than it may have. */
export interface TaskStep extends Omit<ScriptedStep, 'does'> {
  readonly does?: Behavior | 'fill-memory';
}

/** What a task told: what its outcome is made of. */
export interface Told {
  readonly messages: DatedMessage[];
  readonly logs: Map<string, TreeFile>;
  /** Undefined: its container ended without a word. */
  exit: number | undefined;
}

export interface ScriptedTaskOptions {
  readonly released: Promise<void>;
  readonly started: (step: string) => void;
  /** Writes the plan, and gives its reference. */
  readonly plan: () => Promise<string>;
  readonly units: Units;
}

/** One container, whose lines are written to an answer. */
export class ScriptedTask {
  readonly #answer: ServerResponse;
  readonly #told: Told;
  readonly #options: ScriptedTaskOptions;
  readonly #gone: Promise<unknown>;

  constructor(answer: ServerResponse, told: Told, options: ScriptedTaskOptions) {
    this.#answer = answer;
    this.#told = told;
    this.#options = options;
    this.#gone = once(answer, 'close');
  }

  /** Says of what it began and did not end what the container that pushes says of it; gives the exit code. */
  crashed(exit: number | undefined): number {
    const { step } = this.#told.messages.findLast(({ kind }) => kind === 'step-started') ?? {};
    if (step === undefined) return 1;
    this.#tell({
      kind: 'step-failed',
      step,
      failures: [nothingMade(step, { fetched: true, ran: exit })],
    });
    return 4;
  }

  /** The exit code; undefined where a step ends without a word. */
  async runSteps(steps: readonly TaskStep[]): Promise<number | undefined> {
    for (const step of steps) {
      const exit = await this.#runStep(step);
      if (exit !== 0) return exit;
    }
    return 0;
  }

  async #runStep(step: TaskStep): Promise<number | undefined> {
    const { id, does = 'finish', logs = [] } = step;
    this.#options.started(id);
    this.#tell({ kind: 'step-started', step: id });
    for (const line of logs) this.#log(id, line);
    switch (does) {
      case 'crash':
        return undefined;
      case 'hang':
      case 'hang-once':
        await this.#gone;
        return undefined;
      case 'fill-memory':
        this.#print('fill memory');
        return undefined;
      case 'wait':
        await Promise.race([this.#options.released, this.#gone]);
        if (this.#answer.destroyed) return undefined;
        this.#log(id, 'released');
        return this.#finish(id, false);
      case 'fail':
        return this.#fail(id, 'image-build-failed');
      case 'fail-infrastructure':
        return this.#fail(id, 'registry-unavailable');
      default:
        return this.#finish(id, does === 'reuse');
    }
  }

  #fail(step: string, reason: 'image-build-failed' | 'registry-unavailable'): number {
    const failures = [{ reason, detail: 'It failed.', hint: 'Mend it.' }];
    this.#tell({ kind: 'step-failed', step, failures });
    return 3;
  }

  async #finish(step: string, reused: boolean): Promise<number> {
    const made = step === 'prepare' ? { plan: await this.#planned() } : {};
    this.#tell({ kind: 'step-finished', step, output: outputOf(step, reused), ...made });
    return 0;
  }

  /** Tells the results of `prepare`, and gives the plan's reference. */
  async #planned(): Promise<string> {
    const { plan, units } = this.#options;
    const numbered = Object.keys(units).filter((one) => /^\d/.test(one));
    const reference = await plan();
    this.#print(`result plan ${reference}`);
    this.#print(`result units ${JSON.stringify(numbered.length > 0 ? numbered : ['none'])}`);
    this.#print(`result images ${numbered.length > 0 ? 'yes' : 'no'}`);
    for (const one of ['payload', 'manifests'])
      this.#print(`result ${one} ${units[one] === undefined ? 'no' : 'yes'}`);
    return reference;
  }

  #tell(message: StepMessage): void {
    const dated: DatedMessage = { at: new Date().toISOString(), ...message };
    this.#told.messages.push(dated);
    this.#print(`::tributary:: ${JSON.stringify(dated)}`);
  }

  #log(step: string, line: string): void {
    const file = `${step.replaceAll('/', '~')}.log`;
    const before = this.#told.logs.get(file)?.content.toString('utf8') ?? '';
    this.#told.logs.set(file, textFile(`${before}${line}\n`));
    this.#print(`[${step}] ${line}`);
  }

  #print(line: string): void {
    this.#answer.write(`${line}\n`);
  }
}
