import { closeSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { diskFull } from '../builds/disk-full.ts';
import { TailBuffer } from './tail-buffer.ts';

/** The log file of a step: its id with `/` as `~`. */
export function logFile(logs: string, step: string): string {
  return join(logs, `${step.replaceAll('/', '~')}.log`);
}

/** Bytes of a long log's end that are kept, at most; its beginning has the rest. */
const maxTail = 2 ** 20;

/**
 * A step's log: text of strangers, made harmless for the terminal it is read in, and bounded: of more than `limit` bytes,
 * the beginning and the end are kept, and the log says what is missing. Lines are written at once, so that a
 * reader can follow; the end of a long log when it is closed. What the disk does not take is lost: a build must not fail for its
 * log, and what it needs the space for will say so.
 */
export class LogFile {
  readonly #file: number | undefined;
  readonly #head: number;
  readonly #tail: TailBuffer;
  #size: number;
  /** Bytes that came after the head. */
  #more = 0;
  #rest = '';
  #open = true;
  #lost = 0;

  constructor(path: string, limit: number) {
    this.#file = unlessFull(() => {
      mkdirSync(dirname(path), { recursive: true });
      return openSync(path, 'a', 0o644);
    });
    const tail = Math.min(maxTail, limit / 4);
    this.#head = limit - tail;
    this.#tail = new TailBuffer(tail);
    this.#size = this.#file === undefined ? 0 : fstatSync(this.#file).size;
  }

  /** Adds text as it comes; an unfinished line waits for its end. */
  write(text: string): void {
    if (this.#more > 0) {
      this.#keep(this.#rest + text);
      this.#rest = '';
      return;
    }
    const lines = this.#rest + text;
    // A line without end must not grow in memory for ever.
    const end = lines.length > 65_536 ? lines.length : lines.lastIndexOf('\n') + 1;
    this.#rest = lines.slice(end);
    if (end > 0) this.#append(lines.slice(0, end));
  }

  /** Adds one line or several. */
  line(text: string): void {
    this.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  close(): void {
    if (!this.#open) return;
    if (this.#rest !== '') this.write('\n');
    if (this.#more > 0) this.#writeTail();
    this.#open = false;
    if (this.#file !== undefined) closeSync(this.#file);
  }

  #append(lines: string): void {
    if (!this.#open) return;
    const bytes = Buffer.from(harmless(lines));
    const room = Math.max(0, this.#head - this.#size);
    if (bytes.length <= room) {
      this.#size += bytes.length;
      this.#put(bytes);
      return;
    }
    this.#size = this.#head;
    const notice =
      '\n[this log is long: from here on only its end is kept, and shown when the step has ended]\n';
    this.#put(Buffer.concat([bytes.subarray(0, room), Buffer.from(notice)]));
    this.#keep(bytes.subarray(room));
  }

  /** What comes after the head is only looked at again if it is the end. */
  #keep(text: string | Buffer): void {
    const bytes = Buffer.from(text);
    this.#more += bytes.length;
    this.#tail.push(bytes);
  }

  #writeTail(): void {
    const kept = this.#tail.bytes();
    // What is left out ends with a line.
    const start = this.#tail.truncated ? kept.indexOf('\n') + 1 : 0;
    const left = this.#more - kept.length + start;
    if (left > 0) this.#put(`[${left} bytes are left out here]\n`);
    this.#put(harmless(kept.subarray(start).toString('utf8')));
  }

  #put(text: string | Buffer): void {
    const file = this.#file;
    if (file === undefined) return;
    const lost =
      this.#lost === 0 ? '' : `\n[${this.#lost} bytes of the log are lost: the disk was full]\n`;
    const bytes = Buffer.concat([Buffer.from(lost), Buffer.from(text)]);
    const written = unlessFull(() => writeAll(file, bytes));
    this.#lost = written === undefined ? this.#lost + Buffer.byteLength(text) : 0;
  }
}

function writeAll(file: number, bytes: Buffer): number {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(file, rest));
  return bytes.length;
}

/** What `work` gives; undefined where the disk is full. */
function unlessFull<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (diskFull(error) === undefined) throw error;
    return undefined;
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const colors = /\x1b\[[0-9;:]*m/y;
// Other escape sequences: CSI (cursor, erase), OSC (title, links, clipboard) and other strings, two-byte ones.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const escapes = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|[ -/]*[0-~])?/y;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it is about.
const controls = /[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]/g;

/** Text with its colors (SGR), tabs and line ends, and without anything else that steers a terminal. */
export function harmless(text: string): string {
  let result = '';
  let at = 0;
  for (let found = text.indexOf('\x1b'); found !== -1; found = text.indexOf('\x1b', at)) {
    result += text.slice(at, found);
    colors.lastIndex = found;
    escapes.lastIndex = found;
    const color = colors.exec(text)?.[0];
    if (color !== undefined) result += color;
    at = found + (color ?? escapes.exec(text)?.[0] ?? '\x1b').length;
  }
  // The escape of a color is the only control character above that stays.
  return (result + text.slice(at)).replace(controls, '');
}
