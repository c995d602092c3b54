import { readFile } from 'node:fs/promises';
import { z } from 'zod';

/** `<state>/service.json`: which service works on a state folder. */
const RunningService = z.object({ url: z.url(), pid: z.number().int() });

/** URL of the service that a file names, where it lives and answers; a file that a crash left is no service. */
export async function findRunningService(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const parsed = RunningService.safeParse(parseJson(text));
  if (!parsed.success || !isRunning(parsed.data.pid)) return undefined;
  try {
    const answer = await fetch(`${parsed.data.url}/healthz`, { signal: AbortSignal.timeout(2000) });
    return answer.ok && (await answer.text()) === 'ok\n' ? parsed.data.url : undefined;
  } catch {
    return undefined;
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
