import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { Failure } from '../builds/failure.ts';
import { harmless, LogFile, logFile } from './log-file.ts';
import { parseFailures, parseStepMessage, type StepMessage } from './step-message.ts';

/** A message of a step, and when it was told (RFC 3339, UTC). */
export type DatedMessage = StepMessage & { readonly at: string };

/** What a line of a task's standard output says. */
export type TaskLine =
  | { readonly kind: 'message'; readonly message: DatedMessage }
  | { readonly kind: 'log'; readonly step: string; readonly text: string }
  /** Why a container ended, where that is no step's. */
  | { readonly kind: 'failed'; readonly failures: readonly Failure[] };

/** Begins every line of standard output that is a message; lines of logs begin with `[STEP] `, whatever a step prints. */
const mark = '::tributary:: ';
const failedMark = '::tributary-failed:: ';

/** Name of the file of messages, one JSON object a line. */
export const messagesFile = 'messages.jsonl';

export interface TaskOutputOptions {
  /** Where messages ({@link messagesFile}) and logs (`logs/`) are kept for the last container of the task. */
  readonly folder: string;
  /** Bytes of a step's log that are kept, and printed. */
  readonly logBytes: number;
  /** Writes to standard output, at once. */
  readonly print: (text: string) => void;
  readonly now: () => Date;
}

/**
 * What a container of a task tells: printed at once, for whoever follows the pod's log (see {@link parseTaskLine}), and kept in files,
 * of which the outcome of the task is made.
 */
export class TaskOutput {
  readonly #options: TaskOutputOptions;

  constructor(options: TaskOutputOptions) {
    this.#options = options;
    mkdirSync(join(options.folder, 'logs'), { recursive: true });
  }

  tell(message: StepMessage): void {
    const line = JSON.stringify({ at: this.#options.now().toISOString(), ...message });
    appendFileSync(join(this.#options.folder, messagesFile), `${line}\n`);
    this.#options.print(`${mark}${line}\n`);
  }

  openLog(step: string): { line(text: string): void; close(): void } {
    const { folder, logBytes, print } = this.#options;
    const file = new LogFile(logFile(join(folder, 'logs'), step), logBytes);
    let left = logBytes;
    return {
      line: (text) => {
        file.line(text);
        if (left <= 0) return;
        left -= Buffer.byteLength(text);
        const lines = harmless(text).replace(/\n$/, '').split('\n');
        if (left <= 0) lines.push('(this log is long: the rest is shown when the step has ended)');
        print(lines.map((line) => `[${step}] ${line}\n`).join(''));
      },
      close: () => file.close(),
    };
  }
}

/** The line by which a container says why it ends before a step can. */
export function failedLine(failures: readonly Failure[]): string {
  return `${failedMark}${JSON.stringify(failures)}\n`;
}

/** A line of a task's standard output; undefined where it says nothing that is known here. */
export function parseTaskLine(line: string): TaskLine | undefined {
  if (line.startsWith(failedMark)) {
    const failures = parseFailures(line.slice(failedMark.length));
    return failures && { kind: 'failed', failures };
  }
  if (line.startsWith(mark)) {
    const message = parseDatedMessage(line.slice(mark.length));
    return message && { kind: 'message', message };
  }
  const [, step, text] = /^\[([^\]\s]{1,300})\] (.*)$/s.exec(line) ?? [];
  return step === undefined || text === undefined ? undefined : { kind: 'log', step, text };
}

/** The messages of a {@link messagesFile}; lines that are none are left out. */
export function parseMessages(text: string): readonly DatedMessage[] {
  return text.split('\n').flatMap((line) => parseDatedMessage(line) ?? []);
}

const Dated = z.object({ at: z.iso.datetime() });

function parseDatedMessage(line: string): DatedMessage | undefined {
  const message = parseStepMessage(line);
  if (message === undefined || message.kind === 'unit-over') return undefined;
  const dated = Dated.safeParse(JSON.parse(line));
  return dated.success ? { ...message, at: dated.data.at } : undefined;
}
