import { setTimeout as sleep } from 'node:timers/promises';
import type { Response } from 'undici';
import type { BuildEvent } from '../builds/event.ts';
import { FailureError } from '../builds/failure.ts';
import { parseEvents, type SentEvent } from './parse-events.ts';
import { refusal, unavailable } from './read-answer.ts';

/** How long a service may be away (a restart) before a reader of events gives up. */
const patience = 60_000;

/** Events of one stream after the other: where one broke off, the next goes on. */
export async function* resumeEvents(
  first: Response,
  open: (after?: string) => Promise<Response>,
  root: string,
): AsyncGenerator<BuildEvent> {
  let response = first;
  let last: SentEvent | undefined;
  let lost = 0;
  // 204: the build has ended, and all its events were read.
  while (response.status !== 204 && response.body !== null) {
    const before = last;
    try {
      for await (last of parseEvents(response.body)) yield last.event;
      // A rerun goes on after the end of the attempt before.
      if (last !== undefined && isEnd(last.event)) return;
    } catch (error) {
      if (isAbort(error)) throw error;
      // The connection broke: asked again.
    }
    lost = last === before && lost > 0 ? lost : Date.now();
    response = await reopen(response, lost, () => open(last?.id));
    await demandAnswer(response, root);
  }
}

/** Throws what would be answered again and again, such as that the build is gone with its run; not what something in front of a service says that restarts. */
async function demandAnswer(response: Response, root: string): Promise<void> {
  const { status } = response;
  if (status < 400 || status >= 500 || status === 429) return;
  const refused = await refusal(response, root);
  if (!refused.ok && refused.failures[0].reason !== 'server-unavailable')
    throw new FailureError(...refused.failures);
}

/** The stream that follows one that is lost since then; the lost one as long as there is hope for another. */
async function reopen(
  broken: Response,
  lost: number,
  open: () => Promise<Response>,
): Promise<Response> {
  if (Date.now() - lost > patience)
    throw unavailable(broken.url, new Error('the event stream ended'));
  await sleep(500);
  return open().catch((error: unknown) => {
    if (isAbort(error) || Date.now() - lost > patience) throw error;
    return broken;
  });
}

function isEnd({ kind }: BuildEvent): boolean {
  return kind === 'succeeded' || kind === 'failed' || kind === 'cancelled';
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}
