import type { Readable } from 'node:stream';
import { LogFile, logFile } from '../../steps/log-file.ts';
import type { Unit } from './unit.ts';

const lastLinesKept = 20;

/** What a process prints by itself goes to the log of the step that runs. */
export class UnitOutput {
  readonly #logs: string;
  readonly #logBytes: number;
  #log: LogFile | undefined;
  #step: string;
  #tail = '';

  constructor({ folders, steps }: Unit, logBytes: number) {
    this.#logs = folders.logs;
    this.#logBytes = logBytes;
    this.#step = steps[0];
  }

  turnTo(step: string): void {
    if (step === this.#step) return;
    this.#log?.close();
    this.#log = undefined;
    this.#step = step;
  }

  add(text: string): void {
    this.#log ??= new LogFile(logFile(this.#logs, this.#step), this.#logBytes);
    this.#log.write(text);
    this.#tail = (this.#tail + text).slice(-8192);
  }

  /** Closes the log, and gives the last lines. */
  close(): string {
    this.#log?.close();
    return this.#tail.trim().split('\n').slice(-lastLinesKept).join('\n');
  }
}

/** Reads a stream as text; that it breaks is seen by the end of its process. */
export function readText(stream: Readable, use: (text: string) => void): void {
  const decoder = new TextDecoder();
  stream.on('data', (piece: Buffer) => use(decoder.decode(piece, { stream: true })));
  stream.on('error', () => {});
}

/** A message is small; a line beyond this is none, and not kept in memory. */
const maxLine = 16 * 2 ** 20;

/** Reads a stream line by line, without those that are empty. */
export function readLines(stream: Readable, use: (line: string) => void): void {
  let rest = '';
  readText(stream, (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > maxLine) rest = '';
    for (const line of lines) if (line !== '') use(line);
  });
}
