import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StepProcess, type StepProcessOptions } from './step-process.ts';
import type { StartUnit } from './unit.ts';

export interface StepProcessesOptions extends StepProcessOptions {
  /** Folder for the folders of processes. */
  readonly temporary: string;
  readonly removeFolder: (folder: string) => Promise<void>;
  /** Something for the service's own log. */
  readonly report: (text: string, error?: unknown) => void;
  /** Keeps one process ready for the next build. */
  readonly spare: boolean;
}

/** The processes of one attempt of a build: none ever works for another one. */
export interface AttemptProcesses {
  readonly startUnit: StartUnit;
  /** Ends them, none of which has a unit; settles when they and their folders are gone. */
  close(): Promise<void>;
}

/**
 * The step programs that this engine runs. Starting one takes longer than most steps: each runs as many units of an attempt as
 * come along, until one fails, and a spare one waits for what comes next.
 */
export class StepProcesses {
  readonly #options: StepProcessesOptions;
  #spare: Promise<Started> | undefined;
  readonly #ending = new Set<Promise<void>>();
  #closed = false;

  constructor(options: StepProcessesOptions) {
    this.#options = options;
    this.#prepareSpare();
  }

  /** Keeps no process ready any more. */
  retire(): void {
    this.#closed = true;
  }

  forAttempt(): AttemptProcesses {
    const own = new Set<Started>();
    return {
      startUnit: async (unit, tell) => {
        const free = [...own].find(({ process }) => process.isFree);
        const started = free ?? (await this.#take());
        own.add(started);
        const { ended, kill } = await started.process.run(unit, tell);
        const settled = ended.then(async (end) => {
          if (!started.process.isFree) {
            own.delete(started);
            await this.#end(started);
          }
          return end;
        });
        return { ended: settled, kill };
      },
      close: async () => {
        await Promise.all([...own].map((started) => this.#end(started)));
      },
    };
  }

  async close(): Promise<void> {
    this.retire();
    const spare = await this.#spare?.catch(() => undefined);
    if (spare !== undefined) await this.#end(spare);
    await Promise.all(this.#ending);
  }

  async #take(): Promise<Started> {
    const waiting = this.#spare;
    this.#spare = undefined;
    this.#prepareSpare();
    const spare = await waiting?.catch(() => undefined);
    if (spare?.process.isFree) return spare;
    if (spare !== undefined) await this.#end(spare);
    return this.#start();
  }

  #prepareSpare(): void {
    if (this.#closed || !this.#options.spare) return;
    // Where it cannot be started, the build that needs one says so.
    this.#spare ??= this.#start();
    this.#spare.catch(() => {});
  }

  async #start(): Promise<Started> {
    const folder = join(this.#options.temporary, randomUUID());
    await mkdir(folder, { recursive: true });
    try {
      return { folder, process: await StepProcess.start(folder, this.#options) };
    } catch (error) {
      await this.#remove(folder);
      throw error;
    }
  }

  #end({ folder, process }: Started): Promise<void> {
    const ending = process
      .end()
      .then(() => this.#remove(folder))
      .finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return ending;
  }

  #remove(folder: string): Promise<void> {
    const { removeFolder, report } = this.#options;
    return removeFolder(folder).catch((error) => report('cannot remove a folder', error));
  }
}

interface Started {
  readonly folder: string;
  readonly process: StepProcess;
}
