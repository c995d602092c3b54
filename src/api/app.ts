import Fastify from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { acceptJson } from './accept-json.ts';
import { answerErrors } from './answer-errors.ts';
import { describeApi } from './describe-api.ts';
import { guardRoutes } from './guard-routes.ts';
import { measureRequests } from './metrics.ts';
import type { App, AppParts } from './parts.ts';
import { refuseForeignSites } from './refuse-foreign-sites.ts';
import { refuseOtherMethods } from './refuse-other-methods.ts';
import { approvalRoutes } from './routes/approvals.ts';
import { buildRoutes } from './routes/builds.ts';
import { eventRoutes } from './routes/events.ts';
import { gitRoutes } from './routes/git.ts';
import { healthRoutes } from './routes/health.ts';
import { installRoutes } from './routes/install.ts';
import { logRoutes } from './routes/log.ts';
import { planRoutes } from './routes/plan.ts';
import { validateInput } from './validate-input.ts';

/** The HTTP API, ready to listen or to be asked by `inject`. */
export async function createApp(parts: AppParts): Promise<App> {
  const app: App = Fastify({
    logger: parts.logger ?? false,
    bodyLimit: 64 * 1024,
    // A client that sends slowly holds a socket, and no more than that, for half a minute.
    requestTimeout: 30_000,
    http: { connectionsCheckingInterval: 5000 },
    connectionTimeout: 0,
    keepAliveTimeout: 10_000,
    forceCloseConnections: 'idle',
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 500 },
    ...answerErrors.options,
  }).withTypeProvider<ZodTypeProvider>();

  validateInput(app);
  acceptJson(app);
  answerErrors(app);
  // A web page cannot add the token that every caller has to send where there is a guard.
  if (parts.guard === undefined) refuseForeignSites(app, parts.hosts);
  addSecurityHeaders(app);
  measureRequests(app, parts.metrics);
  guardRoutes(app, parts.guard);
  await describeApi(app);
  const allow = refuseOtherMethods(app);
  await app.register(async (scope) => {
    const routes = scope as unknown as App;
    buildRoutes(routes, parts);
    planRoutes(routes, parts);
    eventRoutes(routes, parts);
    logRoutes(routes, parts);
    installRoutes(routes, parts);
    approvalRoutes(routes, parts);
    healthRoutes(routes, parts);
  });
  await app.register(async (scope) => gitRoutes(scope as unknown as App, parts));
  allow();
  await app.ready();
  return app;
}

/** Nothing that we answer is a page: a browser shall neither guess, frame nor keep it. */
function addSecurityHeaders(app: App): void {
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    });
  });
}
