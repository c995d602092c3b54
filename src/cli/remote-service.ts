import { setTimeout as sleep } from 'node:timers/promises';
import { Agent, fetch, type Response } from 'undici';
import type { Approval } from '../access/approvals.ts';
import type {
  ApprovalList,
  Approved,
  Components,
  Install,
  PlanAnswer,
  Problem,
  Readiness,
  Submitted,
} from '../api/answers.ts';
import { attemptOutcome } from '../api/attempt-outcome.ts';
import type { LinkedBuild, LinkedBuildPage, Service } from '../api/service.ts';
import type { BuildEvent } from '../builds/event.ts';
import { type Failure, FailureError, type Outcome, reasons } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { authorize } from './authorize.ts';
import type { TokenSource } from './caller-token.ts';
import { parseEvents } from './parse-events.ts';

/** A service that is reached by HTTP; `base` is its URL, `tokens` prove to it who calls. */
export function createRemoteService(base: string, tokens?: TokenSource): Service & AsyncDisposable {
  // An event stream or a log may be silent for as long as a compiler is.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 5000 } });
  const root = base.replace(/\/+$/, '');

  const authorization = authorize(root, tokens);

  const send = async (path: string, options: RequestOptions = {}): Promise<Response> => {
    const response = await sendOnce(path, options);
    const challenge = response.headers.get('www-authenticate');
    if (response.status !== 401 || !(await authorization.answerChallenge(challenge)))
      return response;
    await response.body?.cancel();
    return sendOnce(path, options);
  };

  const sendOnce = async (path: string, options: RequestOptions): Promise<Response> => {
    const who = authorization.header();
    try {
      return await fetch(`${root}${path}`, {
        dispatcher: agent,
        method: options.method ?? 'GET',
        // Whoever is named by a redirect is somebody else.
        redirect: 'manual',
        headers: {
          accept: 'application/json',
          ...(who === undefined ? {} : { authorization: who }),
          ...(options.body === undefined ? {} : { 'content-type': 'application/json' }),
          ...options.headers,
        },
        ...(options.body === undefined ? {} : { body: JSON.stringify(options.body) }),
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw unavailable(root, error);
    }
  };

  const ask = async <Answer>(
    path: string,
    options: RequestOptions = {},
  ): Promise<Outcome<Answer>> =>
    attemptOutcome<Answer>(async () => {
      const response = await send(path, options);
      return response.ok ? ok(await read<Answer>(response, root)) : refusal(response, root);
    });

  const at = (tag: string) => `/api/builds/${encodeURIComponent(tag)}`;

  return {
    submit: (body, requester) =>
      ask<Submitted>('/api/builds', {
        method: 'POST',
        body,
        headers: { 'x-tributary-requester': requester },
      }),
    plan: (body, signal) => ask<PlanAnswer>('/api/plan', { method: 'POST', body, signal }),
    get: (tag) => ask<LinkedBuild>(at(tag)),
    list: (query) => {
      const entries = Object.entries(query).filter(([, value]) => value !== undefined);
      const search = new URLSearchParams(
        entries.map(([key, value]): [string, string] => [key, String(value)]),
      );
      return ask<LinkedBuildPage>(`/api/builds?${search}`);
    },
    events: (tag, after, signal) =>
      attemptOutcome<AsyncIterable<BuildEvent>>(async () => {
        const open = () =>
          send(`${at(tag)}/events`, {
            signal,
            headers: {
              accept: 'text/event-stream',
              ...(after === undefined ? {} : { 'last-event-id': after }),
            },
          });
        const response = await open();
        return response.ok ? ok(resumeEvents(response, open)) : refusal(response, root);
      }),
    log: (tag, step, follow, signal) =>
      attemptOutcome<AsyncIterable<string>>(async () => {
        const path = step.split('/').map(encodeURIComponent).join('/');
        const response = await send(`${at(tag)}/steps/${path}/log?follow=${follow}`, {
          signal,
          headers: { accept: 'text/plain, application/json' },
        });
        return response.ok ? ok(readText(response, signal)) : refusal(response, root);
      }),
    install: (tag) => ask<Install>(`${at(tag)}/install`),
    cancel: (tag) => ask<LinkedBuild>(`${at(tag)}/cancel`, { method: 'POST' }),
    rerun: (tag, { rebuild, requester }) =>
      ask<LinkedBuild>(`${at(tag)}/rerun`, {
        method: 'POST',
        body: { rebuild },
        headers: { 'x-tributary-requester': requester },
      }),
    components: () => ask<Components>('/api/components'),
    approve: (body, by) =>
      ask<Approved>('/api/approvals', {
        method: 'POST',
        body,
        headers: { 'x-tributary-requester': by },
      }),
    approvals: () => ask<ApprovalList>('/api/approvals'),
    withdraw: (commit) =>
      ask<Approval>(`/api/approvals/${encodeURIComponent(commit)}`, { method: 'DELETE' }),
    readiness: async () => read<Readiness>(await send('/readyz'), root),
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

interface RequestOptions {
  readonly method?: 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** How long a service may be away (a restart) before a reader of events gives up. */
const patience = 60_000;

/**
 * Events of one stream after the other: one that broke is read anew, and what was told is left out. It is not resumed after its last event: another
 * replica may have heard in another order of what happened at once.
 */
async function* resumeEvents(
  first: Response,
  open: () => Promise<Response>,
): AsyncGenerator<BuildEvent> {
  const told = new Set<string>();
  let response = first;
  let lost = 0;
  for (;;) {
    const known = told.size;
    try {
      if (yield* untold(response, told)) return;
    } catch (error) {
      if (isAbort(error)) throw error;
      // The connection broke: asked again below.
    }
    const now = Date.now();
    lost = told.size > known ? now : lost || now;
    if (now - lost > patience) throw unavailable(response.url, new Error('the event stream ended'));
    await sleep(500);
    response = await open().catch((error: unknown) => {
      if (isAbort(error) || Date.now() - lost > patience) throw error;
      return response;
    });
  }
}

/** The events of a stream that were not told yet; gives whether its last one is an end: a rerun goes on after that of the attempt before. */
async function* untold(
  { status, body }: Response,
  told: Set<string>,
): AsyncGenerator<BuildEvent, boolean> {
  // 204: the build has ended, and all its events were read.
  if (status === 204 || body === null) return true;
  let ended = false;
  for await (const event of parseEvents(body)) {
    ended = isEnd(event);
    if (told.has(event.id)) continue;
    told.add(event.id);
    yield event;
  }
  return ended;
}

function isEnd({ kind }: BuildEvent): boolean {
  return kind === 'succeeded' || kind === 'failed' || kind === 'cancelled';
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === 'AbortError';
}

async function* readText(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) yield decoder.decode(piece, { stream: true });
  } catch (error) {
    if (!signal.aborted) throw unavailable(response.url, error);
  }
}

async function read<Answer>(response: Response, root: string): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch (error) {
    throw unavailable(root, error);
  }
}

/** What the service refused, in its own words; whatever is no Problem did not come from a service of ours. */
async function refusal(response: Response, root: string): Promise<Outcome<never>> {
  if (response.status >= 300 && response.status < 400) return failed(sentOn(response, root));
  const problem = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined;
  const known: Failure[] = (problem?.problems ?? []).filter(({ reason }) => reason in reasons);
  const [first, ...rest] = known;
  if (first !== undefined) return failed(first, ...rest);
  return failed({
    reason: 'server-unavailable',
    detail: `${root} answered with status ${response.status}, and not as Tributary does.`,
    hint: 'Check --server (or TRIBUTARY_SERVER): it is the URL of a service, such as http://127.0.0.1:8080.',
  });
}

function sentOn({ status, headers }: Response, root: string): Failure {
  const location = headers.get('location') ?? '';
  const origin = URL.canParse(location, root) ? new URL(location, root).origin : 'another place';
  return {
    reason: 'server-unavailable',
    detail: `${root} sends on to ${origin} (status ${status}).`,
    hint: `If that is the service, name it: --server ${origin}`,
  };
}

function unavailable(root: string, error: unknown): FailureError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new FailureError({
    reason: 'server-unavailable',
    detail: `The service at ${root} does not answer: ${cause instanceof Error ? cause.message : String(cause)}.`,
    hint: 'Check --server (or TRIBUTARY_SERVER), and that the service runs there: tributary serve.',
  });
}
