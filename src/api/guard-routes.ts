import type { FastifyReply, FastifyRequest } from 'fastify';
import {
  attributes,
  type Caller,
  describeRight,
  type Permission,
  roles,
} from '../access/caller.ts';
import { createRateLimit, type RateLimit } from '../access/rate-limit.ts';
import { type Failure, FailureError } from '../builds/failure.ts';
import { quote } from '../request/quote.ts';
import type { App, Guard } from './parts.ts';

/**
 * What a caller needs to be allowed for each route; HEAD is as GET. `open`: nothing, for nothing of a build is told
 * there. Streams of events and logs are checked when they begin.
 */
export const permissions: Readonly<Record<string, Permission | 'open'>> = {
  'POST /': 'create',
  'POST /api/builds': 'create',
  'POST /api/plan': 'create',
  'GET /api/builds': 'get',
  'GET /api/builds/:tag': 'get',
  'GET /api/builds/:tag/events': 'get',
  'GET /api/builds/:tag/install': 'get',
  'GET /api/builds/:tag/steps/*': 'get',
  'GET /api/components': 'get',
  'POST /api/builds/:tag/cancel': 'update',
  'POST /api/builds/:tag/rerun': 'create',
  'GET /api/approvals': 'get',
  'POST /api/approvals': 'approve',
  'DELETE /api/approvals/:commit': 'withdraw',
  'GET /api/builds/:tag/git/:owner/:repo/info/refs': 'get',
  'POST /api/builds/:tag/git/:owner/:repo/git-upload-pack': 'get',
  'GET /healthz': 'open',
  'GET /readyz': 'open',
  'GET /metrics': 'open',
  'GET /openapi.json': 'open',
};

/** The permission of a route; undefined where there is none such. */
export function permissionOf(method: string, route: string): Permission | 'open' | undefined {
  return permissions[`${method === 'HEAD' ? 'GET' : method} ${route}`];
}

const callers = new WeakMap<FastifyRequest, Caller>();

/** Who sent a request; undefined where the service knows no identities. */
export function callerOf(request: FastifyRequest): Caller | undefined {
  return callers.get(request);
}

/**
 * The one place that says who may do what. A route that the table above forgets cannot be registered after this; with a
 * `guard`, none is run for a caller who may not.
 */
export function guardRoutes(app: App, guard: Guard | undefined): void {
  app.addHook('onRoute', ({ method, url, schema }) => {
    // What only says that a method is not allowed.
    if (schema?.hide === true) return;
    for (const each of [method].flat())
      if (permissionOf(each, url) === undefined)
        throw new Error(`${each} ${url} stands in no row of guard-routes.ts`);
  });
  if (guard === undefined) return;
  const limit = createRateLimit(guard.perMinute, guard.now);
  const strangers = createRateLimit(guard.perMinute, guard.now);
  app.addHook('onRequest', async (request, reply) => {
    const { url, schema } = request.routeOptions;
    const hidden = schema !== undefined && 'hide' in schema && schema.hide === true;
    // Of what does not exist, nothing has to be guarded but the words that say so.
    if (url === undefined || hidden) return;
    const permission = permissionOf(request.method, url);
    if (permission === 'open') return;
    if (permission === undefined) throw new Error(`nobody may ${request.method} ${url}`);
    const caller = await identify(request, reply, guard, strangers);
    const { uid, user } = caller;
    demandTurn(limit.take(JSON.stringify([uid, user])), reply, `${quote(user, 253)} sent`, guard);
    if (!(await guard.access.allows(caller, permission)))
      throw new FailureError(notPermitted(caller, permission, guard.namespace));
    callers.set(request, caller);
  });
}

async function identify(
  request: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
  strangers: RateLimit,
): Promise<Caller> {
  const token = /^Bearer +([^\s,]+)$/i.exec(request.headers.authorization ?? '')?.[1];
  const caller =
    token === undefined ? undefined : await callerWith(token, request, reply, guard, strangers);
  if (caller !== undefined) return caller;
  reply.header('www-authenticate', 'Bearer realm="tributary"');
  throw new FailureError({
    reason: 'not-authenticated',
    detail:
      request.headers.authorization === undefined
        ? 'The request carries no token.'
        : token === undefined
          ? 'The request carries no bearer token.'
          : 'The cluster does not know the token: it may have expired, or be of another cluster.',
    hint: 'Send one of your cluster: -H "Authorization: Bearer $(oc whoami -t)"; without OpenShift, $(kubectl create token SERVICEACCOUNT).',
  });
}

/**
 * Whose token it is. The cluster has to be asked about one that is not known, so an address from which tokens come that are nobody's is not asked about for a
 * while. Behind a proxy all come from one address: whose token was good not long ago goes on from there, too.
 */
async function callerWith(
  token: string,
  { ip }: FastifyRequest,
  reply: FastifyReply,
  guard: Guard,
  strangers: RateLimit,
): Promise<Caller | undefined> {
  const { access } = guard;
  if (access.knows(token)) return access.identify(token);
  demandTurn(strangers.take(ip), reply, `From ${ip}, with tokens that are nobody's, came`, guard);
  const caller = await access.identify(token).catch((error: unknown) => {
    strangers.giveBack(ip);
    throw error;
  });
  if (caller !== undefined) strangers.giveBack(ip);
  return caller;
}

function demandTurn(seconds: number, reply: FastifyReply, who: string, { perMinute }: Guard): void {
  if (seconds === 0) return;
  reply.header('retry-after', seconds);
  throw new FailureError({
    reason: 'too-many-requests',
    detail: `${who} more than ${perMinute} requests in a minute.`,
    hint: `Try again in ${seconds} s; to wait for a build, follow its events instead of asking again and again.`,
  });
}

function notPermitted({ user }: Caller, permission: Permission, namespace: string): Failure {
  const [right] = attributes[permission];
  const rights = attributes[permission].map(describeRight);
  const asked = rights.map((one) => one.replace(/\/(.*)$/, ' --subresource=$1'));
  return {
    reason: 'not-permitted',
    detail: `${quote(user, 253)} may not ${describeRight(right)} in the namespace ${namespace}.`,
    hint: `The role ${roles[permission]} allows it (${rights.at(-1)}): ask whoever runs the service for it. Whether you have it, tells: kubectl auth can-i ${asked.at(-1)} -n ${namespace}`,
    about: { verb: right.verb, rights, namespace },
  };
}
