import { Agent, request } from 'undici';
import { FailureError } from '../../builds/failure.ts';
import { briefPatience, createPersist, type Passing, type Patience } from '../persist.ts';
import type { Connection } from './connection.ts';

/** What a request says besides its path. */
export interface ApiRequest {
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: unknown;
  /** Default: `application/json`. */
  readonly contentType?: string;
  readonly signal?: AbortSignal | undefined;
}

/** The API server of a cluster. Paths are absolute (`/api/v1/…`). */
export interface KubernetesApi {
  /**
   * The JSON that it answers. Throws {@link ApiError} where it refuses, FailureError `cluster-unavailable` where it does not answer, also after a
   * while of asking again. What changes something may have happened, then.
   */
  ask(
    method: 'GET' | 'POST' | 'PATCH' | 'DELETE',
    path: string,
    options?: ApiRequest,
  ): Promise<unknown>;
  /** The pieces of an answer as they come; ends where none came for so many milliseconds. Asks once. */
  stream(path: string, options: ApiRequest & { readonly idle: number }): AsyncIterable<Buffer>;
}

/** The API server understood, and said no: 404, 409, 410, 422, … */
export class ApiError extends Error {
  readonly status: number;
  /** `AlreadyExists`, `Expired`, … */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

/** Milliseconds after which an API server that does not answer counts as gone. */
const answerTime = 15_000;

export interface KubernetesApiOptions {
  /** How long trouble is waited out; default: briefly. */
  readonly patience?: Patience;
}

/** Speaks to the API server at the end of a connection. */
export function createKubernetesApi(
  { server, tls, token }: Connection,
  { patience = briefPatience }: KubernetesApiOptions = {},
): KubernetesApi {
  const dispatcher = new Agent({
    headersTimeout: answerTime,
    bodyTimeout: answerTime,
    // A watch lasts: no other request shall wait for it, or stall with it, on one connection.
    allowH2: false,
    connect: { ...tls, timeout: 5000 },
  });
  const send = async (
    method: string,
    path: string,
    { query = {}, body, contentType = 'application/json', signal }: ApiRequest,
    idle?: number,
  ) => {
    const url = new URL(`${server}${path}`);
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) url.searchParams.set(name, String(value));
    const credential = await token();
    return request(url, {
      ...{ method, dispatcher },
      headers: {
        accept: 'application/json',
        'user-agent': 'tributary',
        ...(credential === undefined ? {} : { authorization: `Bearer ${credential}` }),
        ...(body === undefined ? {} : { 'content-type': contentType }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal && { signal }),
      ...(idle !== undefined && { bodyTimeout: idle }),
    });
  };

  const once = async (method: string, path: string, options: ApiRequest): Promise<unknown> => {
    const { statusCode, body } = await send(method, path, options);
    const text = await body.text();
    if (statusCode < 300) return JSON.parse(text);
    throw errorOf(statusCode, text, `${method} ${path}`);
  };

  return {
    async ask(method, path, options = {}) {
      const persist = createPersist(patience, options.signal && { signal: options.signal });
      try {
        return await persist(server, passing, () => once(method, path, options));
      } catch (error) {
        if (options.signal?.aborted || error instanceof FailureError) throw error;
        throw asFailure(server, error);
      }
    },

    async *stream(path, { idle, ...options }) {
      const { statusCode, body } = await send('GET', path, options, idle);
      if (statusCode >= 300) throw errorOf(statusCode, await body.text(), `GET ${path}`);
      for await (const piece of body) yield piece as Buffer;
    },
  };
}

function errorOf(status: number, text: string, what: string): ApiError {
  const said = parsed(text);
  return new ApiError(
    status,
    String(said?.['reason'] ?? ''),
    String(said?.['message'] ?? `${what}: HTTP ${status}`),
  );
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What is over in a moment: an API server that starts anew, or is asked too much. */
function passing(error: unknown): Passing | undefined {
  if (error instanceof ApiError) {
    const busy = error.status === 429 || error.status >= 500;
    return busy ? { why: error.message } : undefined;
  }
  if (error instanceof FailureError || !(error instanceof Error)) return undefined;
  return error.name === 'AbortError' ? undefined : { why: error.message };
}

/** What nobody but the cluster's people can mend; all else is for whoever asked to judge. */
function asFailure(server: string, error: unknown): unknown {
  if (!(error instanceof ApiError))
    return new FailureError(
      unavailable(server, error instanceof Error ? error.message : 'no answer'),
    );
  if (error.status === 401 || error.status === 403)
    return new FailureError({
      reason: 'cluster-denied',
      detail: `The cluster at ${server} refuses what Tributary asks: ${error.message}.`,
      hint: 'Give its ServiceAccount the Role of `deploy/`, or name another kubeconfig; `kubectl auth can-i --list` shows what it may do.',
    });
  return error.status >= 500 || error.status === 429
    ? new FailureError(unavailable(server, error.message))
    : error;
}

function unavailable(server: string, why: string) {
  return {
    reason: 'cluster-unavailable',
    detail: `The API server of the cluster at ${server} does not answer as it should: ${why}.`,
    hint: 'Ask again in a moment: builds go on by themselves meanwhile. If it stays so, look at the cluster: `kubectl get --raw /readyz`.',
  } as const;
}
