import { Agent, fetch, type Response } from 'undici';
import type { Approval } from '../access/approvals.ts';
import type {
  ApprovalList,
  Approved,
  Components,
  Install,
  PlanAnswer,
  Readiness,
  Submitted,
} from '../api/answers.ts';
import { attemptOutcome } from '../api/attempt-outcome.ts';
import type { LinkedBuild, LinkedBuildPage, Service } from '../api/service.ts';
import type { BuildEvent } from '../builds/event.ts';
import type { Outcome } from '../builds/failure.ts';
import { ok } from '../builds/result.ts';
import { authorize } from './authorize.ts';
import type { TokenSource } from './caller-token.ts';
import { readAnswer, refusal, unavailable } from './read-answer.ts';
import { resumeEvents } from './resume-events.ts';

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
      return response.ok ? ok(await readAnswer<Answer>(response, root)) : refusal(response, root);
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
    list: (query, requester) => {
      const entries = Object.entries(query).filter(([, value]) => value !== undefined);
      const search = new URLSearchParams(
        entries.map(([key, value]): [string, string] => [key, String(value)]),
      );
      return ask<LinkedBuildPage>(`/api/builds?${search}`, {
        headers: { 'x-tributary-requester': requester },
      });
    },
    events: (tag, signal) =>
      attemptOutcome<AsyncIterable<BuildEvent>>(async () => {
        const open = (after?: string) =>
          send(`${at(tag)}/events`, {
            signal,
            headers: {
              accept: 'text/event-stream',
              ...(after === undefined ? {} : { 'last-event-id': after }),
            },
          });
        const response = await open();
        return response.ok ? ok(resumeEvents(response, open, root)) : refusal(response, root);
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
    readiness: async () => readAnswer<Readiness>(await send('/readyz'), root),
    [Symbol.asyncDispose]: () => agent.destroy(),
  };
}

interface RequestOptions {
  readonly method?: 'POST' | 'DELETE';
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

async function* readText(response: Response, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  try {
    for await (const piece of response.body ?? []) yield decoder.decode(piece, { stream: true });
  } catch (error) {
    if (!signal.aborted) throw unavailable(response.url, error);
  }
}
