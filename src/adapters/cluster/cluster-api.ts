import { Agent, fetch } from 'undici';
import { FailureError } from '../../builds/failure.ts';
import { briefPatience, createPersist, type Passing } from '../persist.ts';
import type { Connection } from './connection.ts';

/** A request to the API server, JSON in and out. */
export interface ClusterRequest {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** With its query: `/api/v1/namespaces/tributary/configmaps?limit=500`. */
  readonly path: string;
  readonly body?: object;
}

/**
 * Asks the API server; gives status and parsed body. Throws FailureError: `access-unavailable` where it does not answer,
 * `bad-configuration` where it refuses **us** (401, 403).
 */
export type AskCluster = (
  request: ClusterRequest,
) => Promise<{ readonly status: number; readonly body: unknown }>;

/** What an API server answers at most to what is asked here. */
const longest = 10_000;

/** The API server at the end of a connection. */
export function createClusterApi(connection: Connection, patience = briefPatience): AskCluster {
  const { server, tls } = connection;
  const agent = new Agent({ connect: { ...tls, timeout: 5000 } });
  const persist = createPersist(patience);

  const send = async ({ method, path, body }: ClusterRequest) => {
    const token = await connection.token();
    const response = await fetch(`${server}${path}`, {
      ...{ method, dispatcher: agent, redirect: 'manual' as const },
      headers: {
        accept: 'application/json',
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(longest),
    }).catch((error: unknown) => {
      throw new Trouble(describe(error));
    });
    const text = await response.text().catch((error: unknown) => {
      throw new Trouble(describe(error));
    });
    if (response.status === 429 || response.status >= 500)
      throw new Trouble(`it answers ${response.status}`);
    return { status: response.status, body: parse(text) };
  };

  return async (request) => {
    const answer = await persist('the cluster', passing, () => send(request)).catch(
      (error: unknown) => {
        throw error instanceof Trouble ? unavailable(server, error.message) : error;
      },
    );
    if (answer.status === 401 || answer.status === 403) throw denied(server, request, answer);
    return answer;
  };
}

/** What may be over in a moment. */
class Trouble extends Error {}

function passing(error: unknown): Passing | undefined {
  return error instanceof Trouble ? { why: error.message } : undefined;
}

function describe(error: unknown): string {
  const { cause, message } = error as Error;
  return cause instanceof Error ? cause.message : message;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unavailable(server: string, why: string): FailureError {
  return new FailureError({
    reason: 'access-unavailable',
    detail: `The API server of the cluster (${server}) does not answer: ${why}.`,
    hint: 'Nothing is done for anybody meanwhile. Try again in a moment.',
  });
}

function denied(
  server: string,
  { method, path }: ClusterRequest,
  { status, body }: { readonly status: number; readonly body: unknown },
): FailureError {
  const said = (body as { message?: unknown } | undefined)?.message;
  return new FailureError({
    reason: 'bad-configuration',
    detail: `The API server (${server}) refuses the service: ${typeof said === 'string' ? said : `${method} ${path} gives ${status}`}.`,
    hint: 'Give its ServiceAccount the rights of deploy/base/rbac.yaml: without them it cannot tell who may do what, and does nothing for anybody.',
  });
}
