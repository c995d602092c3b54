import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { OpenBuilds } from '../engine/engine.ts';
import type { App, Metrics } from './parts.ts';

/** Makes the instruments; `openBuilds` is asked at every scrape. */
export function createMetrics(openBuilds: () => Promise<OpenBuilds>): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    registry,
    requests: new Histogram({
      name: 'tributary_http_request_seconds',
      help: 'Time until an answer began, by route and status.',
      labelNames: ['method', 'route', 'status'],
      buckets: [0.005, 0.02, 0.1, 0.5, 1, 2, 5, 15],
      registers,
    }),
    builds: new Gauge({
      name: 'tributary_builds',
      help: 'Builds that wait (the queue) or run.',
      labelNames: ['state'],
      registers,
      async collect() {
        const open = await openBuilds();
        for (const state of ['queued', 'running'] as const) this.set({ state }, open[state]);
      },
    }),
    finished: new Counter({
      name: 'tributary_builds_finished_total',
      help: 'Builds that ended since the service started, with the reason of failed ones.',
      labelNames: ['state', 'reason'],
      registers,
    }),
    steps: new Histogram({
      name: 'tributary_step_seconds',
      help: 'How long steps took, by kind; outcome: succeeded, reused or failed.',
      labelNames: ['kind', 'outcome'],
      buckets: [0.2, 1, 5, 15, 60, 180, 600, 1800],
      registers,
    }),
  };
}

/** Times every answer. The label is the route's pattern, never a path that a caller made up. */
export function measureRequests(app: App, metrics: Metrics): void {
  app.addHook('onSend', async (request, reply) => {
    metrics.requests.observe(
      {
        method: request.method,
        route: request.routeOptions.url ?? 'none',
        status: String(reply.statusCode),
      },
      reply.elapsedTime / 1000,
    );
  });
}
