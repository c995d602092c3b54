import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseStepMessage, type StepMessage } from '../../steps/step-message.ts';
import type { RunningUnit, Unit, UnitEnd } from './unit.ts';
import { writeInput } from './unit-input.ts';
import { readLines, readText, UnitOutput } from './unit-output.ts';

/** A process with all its descendants in namespaces of their own, which end when this process does. */
export interface ContainedProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly fd3: Readable;
  /** Settles when none of its processes is left and its streams are closed. */
  readonly exited: Promise<Exit>;
  /** Ends all its processes at once. */
  end(): void;
}

type Exit = Pick<UnitEnd, 'exitCode' | 'signal'>;

export interface StepProcessOptions {
  readonly startContained: (command: readonly string[], cwd: string) => Promise<ContainedProcess>;
  /** The step program, told to wait for units: `node src/cli.ts step --wait …`. */
  readonly command: readonly string[];
  /** A step that takes longer is ended. */
  readonly stepMinutes: number;
  /** Bytes of a step's log that are kept. */
  readonly logBytes: number;
}

interface Current {
  readonly unit: Unit;
  readonly tell: (message: StepMessage) => void;
  readonly output: UnitOutput;
  readonly over: (end: UnitEnd) => void;
  timer: NodeJS.Timeout;
  timedOut: boolean;
}

/** Milliseconds that a process may take to end after its standard input did. */
const patience = 2000;

/** A step program that waits for units, and runs them one after the other. */
export class StepProcess {
  readonly #folder: string;
  readonly #child: ContainedProcess;
  readonly #options: StepProcessOptions;
  #current: Current | undefined;
  #isFit = true;

  /** Starts one that works in `folder`, which is its own. Throws FailureError where it cannot be started. */
  static async start(folder: string, options: StepProcessOptions): Promise<StepProcess> {
    return new StepProcess(folder, await options.startContained(options.command, folder), options);
  }

  private constructor(folder: string, child: ContainedProcess, options: StepProcessOptions) {
    this.#folder = folder;
    this.#child = child;
    this.#options = options;
    for (const stream of [child.stdout, child.stderr])
      readText(stream, (text) => this.#current?.output.add(text));
    readLines(child.fd3, (line) => this.#hear(line));
    // It may be gone when it is written to: its end tells.
    child.stdin.on('error', () => {});
    void child.exited.then((exit) => this.#finish(exit, false));
  }

  /** Whether it can be given a unit: it lives, has none, and all before succeeded. */
  get isFree(): boolean {
    return this.#isFit && this.#current === undefined;
  }

  /** Begins a unit. */
  async run(unit: Unit, tell: (message: StepMessage) => void): Promise<RunningUnit> {
    const ended = new Promise<UnitEnd>((over) => {
      const output = new UnitOutput(unit, this.#options.logBytes);
      this.#current = { unit, tell, output, over, timer: this.#clock(), timedOut: false };
    });
    const args = await writeInput(unit, this.#folder).catch((error: unknown) => {
      clearTimeout(this.#current?.timer);
      this.#current = undefined;
      throw error;
    });
    if (this.#isFit) this.#child.stdin.write(`${JSON.stringify(args)}\n`);
    const kill = async () => {
      this.#child.end();
      await ended;
    };
    return { ended, kill };
  }

  /** Ends it; settles when none of its processes is left. */
  async end(): Promise<void> {
    this.#isFit = false;
    this.#child.stdin.end();
    const over = new AbortController();
    const gone = this.#child.exited.finally(() => over.abort());
    void sleep(patience, undefined, { signal: over.signal }).then(
      () => this.#child.end(),
      () => {},
    );
    await gone;
  }

  #clock(): NodeJS.Timeout {
    return setTimeout(() => {
      if (this.#current !== undefined) this.#current.timedOut = true;
      this.#child.end();
    }, this.#options.stepMinutes * 60_000);
  }

  #hear(line: string): void {
    const current = this.#current;
    if (current === undefined) return;
    const message = parseStepMessage(line);
    if (message?.kind === 'unit-over') {
      // What it printed before it said so may still be on its way, in another stream.
      setImmediate(() => this.#finish({ exitCode: 0, signal: null }, true));
      return;
    }
    if (message === undefined || !current.unit.steps.includes(message.step)) {
      current.output.add(`[not a message of a step: ${line.slice(0, 500)}]\n`);
      return;
    }
    if (message.kind === 'step-started') {
      current.output.turnTo(message.step);
      clearTimeout(current.timer);
      current.timer = this.#clock();
    }
    current.tell(message);
  }

  #finish(exit: Exit, isFit: boolean): void {
    this.#isFit &&= isFit;
    const current = this.#current;
    if (current === undefined) return;
    this.#current = undefined;
    clearTimeout(current.timer);
    current.over({ ...exit, timedOut: current.timedOut, lastLines: current.output.close() });
  }
}
