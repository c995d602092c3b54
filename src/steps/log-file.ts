import { closeSync, fstatSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** The log file of a step: its id with `/` as `~`. */
export function logFile(logs: string, step: string): string {
  return join(logs, `${step.replaceAll('/', '~')}.log`);
}

/** Bytes of one step's log that are kept. */
const maxBytes = 64 * 2 ** 20;

/**
 * A step's log: text of strangers, made harmless for the terminal it is read in, and bounded.
 * Lines are written at once, so that a reader can follow; what comes after the limit is dropped, and the log says so.
 */
export class LogFile {
  readonly #file: number;
  readonly #limit: number;
  #size: number;
  #rest = '';
  #open = true;

  constructor(path: string, limit: number = maxBytes) {
    mkdirSync(dirname(path), { recursive: true });
    this.#file = openSync(path, 'a', 0o644);
    this.#limit = limit;
    this.#size = fstatSync(this.#file).size;
  }

  /** Adds text as it comes; an unfinished line waits for its end. */
  write(text: string): void {
    const lines = this.#rest + text;
    // A line without end must not grow in memory for ever.
    const end = lines.length > 65_536 ? lines.length : lines.lastIndexOf('\n') + 1;
    this.#rest = lines.slice(end);
    if (end > 0) this.#append(harmless(lines.slice(0, end)));
  }

  /** Adds one line or several. */
  line(text: string): void {
    this.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  close(): void {
    if (!this.#open) return;
    if (this.#rest !== '') this.write('\n');
    this.#open = false;
    closeSync(this.#file);
  }

  #append(text: string): void {
    if (!this.#open || this.#size > this.#limit) return;
    let bytes = Buffer.from(text);
    if (this.#size + bytes.length > this.#limit) {
      const notice = `\n[the log was cut here: it is longer than ${this.#limit} bytes]\n`;
      bytes = Buffer.concat([bytes.subarray(0, this.#limit - this.#size), Buffer.from(notice)]);
      this.#size = this.#limit + 1;
    } else {
      this.#size += bytes.length;
    }
    writeSync(this.#file, bytes);
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
