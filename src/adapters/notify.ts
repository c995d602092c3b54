import { createHmac, randomUUID } from 'node:crypto';
import type { Build } from '../builds/build.ts';
import type { Configuration } from '../config/config.ts';
import { readSecret } from '../config/load-config.ts';
import { createPersist, type Passing } from './persist.ts';

/** When a target is told. */
type Moment = 'started' | 'finished';

/** Tells configured targets of a build. It settles when all are told or given up on, and never rejects. */
export type Notify = (build: Build, targets: readonly string[], moment: Moment) => Promise<void>;

export interface NotifyOptions {
  readonly configuration: Pick<Configuration, 'notify'>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** A line for the log of the service. */
  readonly report: (text: string) => void;
  /** Milliseconds before the first of five retries; each waits twice as long. Default: 4000. */
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
    const patience = { total: 600_000, first: options.retryDelay ?? 4000, longest: 120_000 };
    const persist = createPersist(patience, options);
    await persist(`notify target ${name}`, passing, () => post(target.url, headers, body, options));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    options.report(`notify target ${name} was not told that ${build.tag} ${moment}: ${why}`);
  }
}

function passing(error: unknown): Passing | undefined {
  if (error instanceof Refused || !(error instanceof Error)) return undefined;
  return { why: error.message, tries: 5 };
}

/** What a try later cannot mend. */
class Refused extends Error {}

/** One try. Throws {@link Refused} where another is in vain. */
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
    // fetch hides why behind "fetch failed".
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new Error(cause instanceof Error ? cause.message : String(cause));
  });
  await response.body?.cancel();
  if (response.ok) return;
  const why = `it answered ${response.status}`;
  const mayPass = response.status >= 500 || response.status === 429 || response.status === 408;
  throw mayPass ? new Error(why) : new Refused(why);
}
