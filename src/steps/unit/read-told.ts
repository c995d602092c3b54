import { basename } from 'node:path';
import { type FileTree, type TreeFile, textFile } from '../../plan/file-tree.ts';
import { harmless, logFile } from '../log-file.ts';
import type { TaskOutcome } from '../task-outcome.ts';
import { type DatedMessage, messagesFile, parseMessages } from '../task-output.ts';
import { believing } from './believe-messages.ts';
import { readPlainFile } from './plain-file.ts';

/** Bytes of messages that are read, at most: a few hundred lines of progress for each step are a fraction of it. */
const mostMessages = 16 * 2 ** 20;

export interface ReadToldOptions {
  readonly logBytes: number;
  /** False: code of a ref may have written it. That a step is finished says only who pushed it. */
  readonly believed: boolean;
  /** RFC 3339: nothing was told earlier. */
  readonly since?: string | undefined;
}

/** What a container told of these steps, with their logs: what has the right shape, and no more than a step may tell. */
export async function readTold(
  folder: string,
  steps: readonly string[],
  { logBytes, believed, since }: ReadToldOptions,
): Promise<TaskOutcome> {
  const lines = await readPlainFile(folder, [messagesFile], mostMessages);
  const believe = believing({ steps, verdicts: believed, since, now: () => new Date() });
  const messages = parseMessages(lines?.toString() ?? '').flatMap(
    (message) => believe(message) ?? [],
  );
  return { messages, logs: await readLogs(folder, steps, logBytes) };
}

async function readLogs(
  folder: string,
  steps: readonly string[],
  logBytes: number,
): Promise<FileTree> {
  const logs = new Map<string, TreeFile>();
  for (const step of steps) {
    const name = basename(logFile('', step));
    // A log that is cut says so, in a line or two above the limit.
    const log = await readPlainFile(folder, ['logs', name], logBytes + 4096);
    if (log !== undefined) logs.set(name, textFile(harmless(log.toString())));
  }
  return logs;
}

/** Several parts of what a task told, one after the other. */
export function joinTold(parts: readonly TaskOutcome[]): TaskOutcome {
  const names = new Set(parts.flatMap(({ logs }) => [...logs.keys()]));
  const logs = [...names].map((name) => {
    const contents = parts.flatMap((part) => part.logs.get(name)?.content ?? []);
    return [name, textFile(Buffer.concat(contents))] as const;
  });
  const messages: readonly DatedMessage[] = parts.flatMap((part) => part.messages);
  return { messages, logs: new Map(logs) };
}
