import { createHmac, randomUUID } from 'node:crypto';
import pRetry, { AbortError } from 'p-retry';
import type { Build } from '../builds/build.ts';
import type { Configuration } from '../config/config.ts';
import { readSecret } from '../config/load-config.ts';

/** When a target is told. */
type Moment = 'started' | 'finished';

/** Tells configured targets of a build. It settles when all are told or given up on, and never rejects. */
export type Notify = (build: Build, targets: readonly string[], moment: Moment) => Promise<void>;

export interface NotifyOptions {
  readonly configuration: Pick<Configuration, 'notify'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A line for the log of the service. */
  readonly report: (text: string) => void;
  /** Milliseconds before the first of five retries; each waits three times as long. Default: 1000. */
  readonly retryDelay?: number;
  /** Milliseconds that one try may take. Default: 10 000. */
  readonly timeout?: number;
  /** Ends what is still being told when the service stops. */
  readonly signal?: AbortSignal;
}

/**
 * Makes a {@link Notify} that POSTs `{event, build}` as JSON, signed with the target's secret:
 * `X-Tributary-Signature-256: sha256=<HMAC-SHA256 of the body, hex>`. Every try of one notification has the
 * same `X-Tributary-Delivery`, by which a receiver knows it again.
 */
export function createNotify(options: NotifyOptions): Notify {
  return async (build, targets, moment) => {
    await Promise.all([...new Set(targets)].map((name) => tell(name, build, moment, options)));
  };
}

async function tell(
  name: string,
  build: Build,
  moment: Moment,
  options: NotifyOptions,
): Promise<void> {
  const target = options.configuration.notify[name];
  if (target === undefined || !target.on.includes(moment)) return;
  try {
    // Read each time: a rotated file counts at once.
    const secret = await readSecret(target.secret, options.environment);
    const body = Buffer.from(JSON.stringify({ event: moment, build }));
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'tributary',
      'x-tributary-delivery': randomUUID(),
      'x-tributary-signature-256': `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`,
    };
    const retries = { retries: 5, factor: 3, minTimeout: options.retryDelay ?? 1000 };
    await pRetry(() => post(target.url, headers, body, options), {
      ...{ ...retries, maxTimeout: 120_000, randomize: true },
      ...(options.signal && { signal: options.signal }),
    });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.report(`notify target ${name} was not told that ${build.tag} ${moment}: ${why}`);
  }
}

/** One try. What a try later cannot mend is an AbortError. */
async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: Buffer<ArrayBuffer>,
  { timeout = 10_000, signal }: NotifyOptions,
): Promise<void> {
  const limit = AbortSignal.timeout(timeout);
  const response = await fetch(url, {
    ...{ method: 'POST', headers, body },
    // A redirect could lead a signed message to a host that nobody configured.
    redirect: 'manual',
    signal: signal ? AbortSignal.any([limit, signal]) : limit,
  }).catch((error: unknown) => {
    // fetch hides why behind "fetch failed", as a TypeError, which p-retry would take for a bug.
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(cause instanceof Error ? cause.message : String(cause));
  });
  await response.body?.cancel();
  if (response.ok) return;
  const failure = new Error(`it answered ${response.status}`);
  const passing = response.status >= 500 || response.status === 429 || response.status === 408;
  throw passing ? failure : new AbortError(failure);
}
