import { createApp } from '../../src/api/app.ts';
import { createMetrics } from '../../src/api/metrics.ts';
import type { AppParts } from '../../src/api/parts.ts';

/** The description that a service gives of its routes; no route is run for it. */
export async function renderOpenApi(): Promise<object> {
  const app = await createApp({
    metrics: createMetrics(async () => ({ queued: 0, running: 0 })),
    hosts: [],
    closing: new AbortController().signal,
  } as unknown as AppParts);
  const answer = await app.inject('/openapi.json');
  await app.close();
  if (answer.statusCode !== 200) throw new Error(`/openapi.json cannot be made: ${answer.body}`);
  return answer.json();
}
