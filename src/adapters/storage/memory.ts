import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Remember } from '../../steps/step.ts';

/** Larger answers are found out again: they are hardly what one looks for. */
const maxAnswer = 64 * 1024;
/** Files in the folder; beyond it, the older half goes. */
const maxAnswers = 4096;

/**
 * A {@link Remember} that keeps answers as files in `<state>/known`, each with its question and a checksum: one that is torn or was
 * changed is found out anew. Processes that share the folder need not agree on anything.
 */
export function createMemory(state: string): Remember {
  const folder = join(state, 'known');
  return async (question, findOut) => {
    const file = join(folder, createHash('sha256').update(question).digest('hex'));
    const known = await recall(file, question);
    if (known !== undefined) return known.answer ?? undefined;
    const answer = await findOut();
    // A memory spares time: what cannot be kept is found out again.
    if ((answer?.length ?? 0) <= maxAnswer)
      await keep(folder, file, write(question, answer ?? null)).catch(() => {});
    return answer;
  };
}

interface Known {
  readonly answer: Buffer | null;
}

function write(question: string, answer: Buffer | null): string {
  const body = JSON.stringify([question, answer?.toString('base64') ?? null]);
  return `${createHash('sha256').update(body).digest('hex')}\n${body}`;
}

async function recall(file: string, question: string): Promise<Known | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  const body = text.slice(65);
  if (text.slice(0, 65) !== `${createHash('sha256').update(body).digest('hex')}\n`)
    return undefined;
  const [asked, answer] = JSON.parse(body) as [string, string | null];
  if (asked !== question) return undefined;
  return { answer: answer === null ? null : Buffer.from(answer, 'base64') };
}

async function keep(folder: string, file: string, text: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const draft = `${file}.${process.pid}`;
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, file);
  await forgetOldest(folder);
}

async function forgetOldest(folder: string): Promise<void> {
  const names = await readdir(folder);
  if (names.length <= maxAnswers) return;
  const aged = await Promise.all(
    names.map(async (name) => {
      const { mtimeMs } = await stat(join(folder, name)).catch(() => ({ mtimeMs: 0 }));
      return { name, mtimeMs };
    }),
  );
  const older = aged.sort((a, b) => a.mtimeMs - b.mtimeMs).slice(0, names.length / 2);
  await Promise.all(older.map(({ name }) => rm(join(folder, name), { force: true })));
}
