import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { LogFile, logFile } from '../../steps/log-file.ts';
import { parseStepMessage, type StepMessage } from '../../steps/step-message.ts';
import type { RunningUnit, StartUnit, Unit, UnitEnd } from './unit.ts';

/** A process with all its descendants in namespaces of their own, which end when this process does. */
export interface ContainedProcess {
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly fd3: Readable;
  /** Settles when none of its processes is left and its streams are closed. */
  readonly exited: Promise<{ readonly exitCode: number; readonly signal: string | null }>;
  /** Ends all its processes at once. */
  end(): void;
}

export interface StartUnitOptions {
  readonly startContained: (command: readonly string[], cwd: string) => Promise<ContainedProcess>;
  /** The program and arguments before those of a unit: `node src/cli.ts step`. */
  readonly command: readonly string[];
  /** Configuration file for `--config`. */
  readonly configuration: string;
  /** A step that takes longer is ended. */
  readonly stepMinutes: number;
  /** Bytes of a step's log that are kept. */
  readonly logBytes: number;
}

/** Starts units as processes of the step program. */
export function createStartUnit(options: StartUnitOptions): StartUnit {
  return async (unit, tell) => {
    const args = await writeInput(unit);
    const child = await options.startContained(
      [
        ...options.command,
        ...args,
        '--config',
        options.configuration,
        '--messages',
        '3',
        ...unit.steps,
      ],
      unit.workdir,
    );
    return attend(unit, child, tell, options);
  };
}

/** Writes what the program reads, and gives the arguments that name it. No secret is among them. */
async function writeInput(unit: Unit): Promise<string[]> {
  const { input, folders } = unit;
  const common = [
    ...['--plan', planFile(folders.run), '--logs', folders.logs, '--workdir', unit.workdir],
    ...(unit.rebuild ? ['--rebuild'] : []),
  ];
  const build =
    input.build === undefined
      ? []
      : ['--build', await writeJson(join(folders.run, 'build.json'), input.build)];
  if (input.kind === 'lock') {
    const lock = await writeJson(join(folders.run, 'lock.json'), input.lock);
    const { product: parsed, productText: text } = input;
    const product = await writeJson(join(folders.run, 'product.json'), { product: parsed, text });
    return ['--lock', lock, '--product', product, '--tag', unit.tag, ...build, ...common];
  }
  const name = `${unit.steps[0].replaceAll('/', '~')}.json`;
  const outputs = await writeJson(join(folders.run, 'outputs', name), input.outputs);
  return ['--outputs', outputs, ...build, ...common];
}

/** Where `prepare` writes the plan, and every other step reads it. */
export function planFile(run: string): string {
  return join(run, 'plan.json');
}

async function writeJson(file: string, value: unknown): Promise<string> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, JSON.stringify(value));
  return file;
}

function attend(
  unit: Unit,
  child: ContainedProcess,
  tell: (message: StepMessage) => void,
  options: StartUnitOptions,
): RunningUnit {
  const timeout = options.stepMinutes * 60_000;
  let timedOut = false;
  const expire = () => {
    timedOut = true;
    child.end();
  };
  let timer = setTimeout(expire, timeout);
  const output = collectOutput(unit, options.logBytes);
  for (const stream of [child.stdout, child.stderr]) readText(stream, output.add);
  readLines(child.fd3, (line) => {
    const message = parseStepMessage(line);
    if (message === undefined || !unit.steps.includes(message.step)) {
      output.add(`[not a message of a step: ${line.slice(0, 500)}]\n`);
      return;
    }
    if (message.kind === 'step-started') {
      output.turnTo(message.step);
      clearTimeout(timer);
      timer = setTimeout(expire, timeout);
    }
    tell(message);
  });
  const ended = child.exited.then((exit): UnitEnd => {
    clearTimeout(timer);
    return { ...exit, timedOut, lastLines: output.close() };
  });
  const kill = async () => {
    child.end();
    await ended;
  };
  return { ended, kill };
}

const lastLinesKept = 20;

/** What the process prints by itself goes to the log of the step that runs. */
function collectOutput(unit: Unit, logBytes: number) {
  let log: LogFile | undefined;
  let step: string = unit.steps[0];
  let tail = '';
  return {
    turnTo(next: string): void {
      if (next === step) return;
      log?.close();
      log = undefined;
      step = next;
    },
    add(text: string): void {
      log ??= new LogFile(logFile(unit.folders.logs, step), logBytes);
      log.write(text);
      tail = (tail + text).slice(-8192);
    },
    close(): string {
      log?.close();
      return tail.trim().split('\n').slice(-lastLinesKept).join('\n');
    },
  };
}

function readText(stream: Readable, use: (text: string) => void): void {
  const decoder = new TextDecoder();
  stream.on('data', (piece: Buffer) => use(decoder.decode(piece, { stream: true })));
  stream.on('error', () => {});
}

/** A message is small; a line beyond this is none, and not kept in memory. */
const maxLine = 16 * 2 ** 20;

function readLines(stream: Readable, use: (line: string) => void): void {
  let rest = '';
  readText(stream, (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLine) rest = '';
    for (const line of lines) if (line !== '') use(line);
  });
}
