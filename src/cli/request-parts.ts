import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { demandTrust, type TrustParts } from '../access/trust.ts';
import { createBuilder } from '../adapters/builder/buildah.ts';
import { toolSet } from '../adapters/builder/tool-set.ts';
import { openGit } from '../adapters/git/git.ts';
import { createPersist, probePatience } from '../adapters/persist.ts';
import { createRegistry } from '../adapters/registry/registry.ts';
import type { ResolvedRequest, ServiceParts } from '../api/build-service.ts';
import { attempt, type Failure, mayPass, type Outcome } from '../builds/failure.ts';
import { forSeconds, once } from '../builds/once.ts';
import { failed, ok } from '../builds/result.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { ReadProduct } from '../config/read-product.ts';
import type { Lock } from '../plan/lock.ts';
import { lockDigest, tagFor } from '../plan/tag.ts';
import { locateIn, type ProductText } from '../product/place.ts';
import type { CheckedRequest } from '../request/check-request.ts';
import { readRequest } from '../request/read-request.ts';
import { findOwner } from '../resolve/find-owner.ts';
import { ProductVerdicts } from '../resolve/product-verdicts.ts';
import { remembered } from '../resolve/remembered-mirrors.ts';
import { type LockedRequest, type Resolution, resolveRequest } from '../resolve/resolve-request.ts';
import { shareInFlight } from '../resolve/share-in-flight.ts';
import { shared } from '../resolve/shared-servers.ts';
import { lookUpHits } from '../steps/prepare/look-up-hits.ts';
import type { PrepareContext } from '../steps/prepare/prepare-context.ts';
import { prepare, problemsOutside } from '../steps/prepare/run-prepare.ts';
import { exportAgain } from './export-again.ts';
import { inTime, tooSlow } from './in-time.ts';
import { noScripts, refusingBuilder } from './refusing-builder.ts';

/** Longer than any request takes: a service lives for ever, and mirrors that nobody asks for must be able to go. */
const holdMirrors = 10 * 60_000;

interface RequestPartsOptions {
  readonly configuration: LoadedConfiguration;
  product(): Promise<ReadProduct>;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** For small files. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** What is demanded of refs; the product as it is has none. */
  readonly trust: Omit<TrustParts, 'ownerOf'>;
  /** Seconds after which a request is answered in any case; without it, whoever asks has time. */
  readonly answerSeconds?: number;
}

/** Seconds after which a probe says what it knows: a kubelet waits no longer than 5. */
const probeSeconds = 3;

/** Milliseconds that a server may be silent while somebody waits for an answer. */
const idle = 10_000;

interface RequestParts extends Pick<ServiceParts, 'resolve' | 'plan' | 'checks' | 'vouched'> {
  /** Makes what a build exports, where this process does not have it. */
  readonly exportAgain: ReturnType<typeof exportAgain>;
  /** What is wrong with a release of the product as it is: for what a build would fail that changes nothing. */
  examine(release: string): Promise<readonly Failure[]>;
}

/** The parts that read a request: git, the registry, the builder's version. */
export function requestParts({
  configuration,
  product,
  environment,
  scratch,
  signal,
  trust,
  answerSeconds,
}: RequestPartsOptions): RequestParts {
  const tools = once(async () => {
    const git = await openGit(configuration, environment, { signal, idle, holdMirrors });
    const answering = {
      servers: shared(git.servers, () => performance.now()),
      mirrors: remembered(git.mirrors),
    };
    return { git, answering: { ...git, ...answering } };
  });
  const registry = once(() => createRegistry(configuration, { folder: scratch, signal, idle }));
  // Planning fetches and merges: two at once leave the machine to the builds.
  const planning = pLimit(2);

  const verdicts = new ProductVerdicts();

  const resolveOnce = shareInFlight(async (request: CheckedRequest) => {
    const { product: known, text } = await product();
    const { answering } = await tools();
    const context = {
      ...answering,
      ...{ configuration, platform: platformOf(process.arch), verdicts, locate: locateIn(text) },
      vouched,
    };
    return resolveRequest(request, known, context);
  });

  const ownerOf: TrustParts['ownerOf'] = async (reading) =>
    findOwner(reading, (await tools()).answering);
  const vouched = (read: LockedRequest['read']) => demandTrust(read, { ...trust, ownerOf });

  /** Does what `prepare` does, publishing nothing. */
  const preparing = <Value>(
    lock: Lock,
    productText: ProductText | undefined,
    stop: AbortSignal,
    work: (context: PrepareContext) => Promise<Value>,
  ): Promise<Outcome<Value>> =>
    planning(() =>
      attempt(async () => {
        const workdir = await mkdtemp(join(scratch, 'plan-'));
        try {
          // A plan is made of code that nobody may have vouched for yet: where others build, nothing of it runs here.
          const builder =
            configuration.engine === 'tekton'
              ? await refusingBuilder(noScripts)
              : await createBuilder(configuration, { state: configuration.state });
          return await work({
            ...{ configuration, workdir, publish: false, rebuild: false, builder },
            tag: tagFor(lock.name, lockDigest(lock)),
            registry: await registry(),
            locate: locateIn(productText),
            mirrors: (await tools()).git.mirrors,
            madeBy: toolSet(builder.tools),
            signal: AbortSignal.any([stop, signal]),
            log: () => {},
            progress: () => {},
          });
        } finally {
          await rm(workdir, { recursive: true, force: true });
        }
      }),
    );

  /** What may pass by itself is not told: the product is wrong in any case. */
  const lookOutside = shareInFlight(async (lock: Lock): Promise<readonly Failure[]> => {
    const { product: known, text } = await product();
    // Nobody waits any longer.
    const late = answerSeconds === undefined ? signal : AbortSignal.timeout(answerSeconds * 1000);
    const looked = await preparing(lock, text, late, async (context) =>
      late.aborted ? [] : problemsOutside(lock, known, context),
    ).catch((error: unknown) => {
      if (late.aborted) return ok([]);
      throw error;
    });
    const found = looked.ok ? looked.value : looked.failures;
    return late.aborted ? [] : found.filter((failure) => !mayPass(failure));
  });

  /** All that is wrong with a product is told at once, as far as it can be found in time and the request is `sound`. */
  const resolveWhole = async (
    request: CheckedRequest,
    sound: boolean,
  ): Promise<Outcome<LockedRequest>> => {
    const began = performance.now();
    const resolved: Resolution = await inTime(resolveOnce(request), answerSeconds, () =>
      failed(tooSlow(request, answerSeconds ?? 0)),
    );
    if (resolved.ok || resolved.locked === undefined || !sound) return resolved;
    const { lock, read } = resolved.locked;
    const trusted = await vouched(read);
    if (!trusted.ok) return failed(...resolved.failures, ...trusted.failures);
    const left = answerSeconds && Math.max(0, answerSeconds - (performance.now() - began) / 1000);
    const outside = await inTime(lookOutside(lock), left, () => []);
    return failed(...resolved.failures, ...outside);
  };

  const resolve = async (body: unknown): Promise<Outcome<ResolvedRequest>> => {
    const { product: known, text } = await product();
    const { request, failures } = readRequest(body, known, configuration);
    // Whatever is wrong, its refs are looked up too: all problems are told at once.
    const resolved = request && (await resolveWhole(request, failures.length === 0));
    const [first, ...rest] = [...failures, ...(resolved?.ok === false ? resolved.failures : [])];
    if (first !== undefined) return { ok: false, failures: [first, ...rest] };
    if (!request || !resolved?.ok) throw new Error('nothing is wrong, and nothing is resolved');
    const { notify, rebuild } = request;
    return {
      ok: true,
      value: { ...resolved.value, product: known, productText: text, notify, rebuild },
    };
  };

  const plan: ServiceParts['plan'] = ({ lock, product: known, productText }, stop) =>
    preparing(lock, productText, stop, async (context) => {
      const made = await prepare(lock, known, context);
      const hits = await lookUpHits(made, context.registry);
      const steps = made.steps.map(({ id, kind, needs, weight, key }) => ({
        ...{ id, kind, needs, weight, key },
        hit: hits[id] ?? null,
      }));
      const { tag, operatorVersion, patches } = made;
      return { tag, operatorVersion, patches, steps };
    });

  const examine = async (release: string): Promise<readonly Failure[]> => {
    const [remote = ''] = Object.entries(configuration.remotes).flatMap(([name, one]) =>
      one.default ? [name] : [],
    );
    const nothing = { components: {}, patches: {}, notify: [], rebuild: false };
    const strategy = 'images';
    const asked = { name: 'doctor', release, remote, strategy, ...nothing } as const;
    const resolved = await resolveWhole(asked, true);
    if (!resolved.ok) return resolved.failures;
    const { product: known, text } = await product();
    const request = { ...resolved.value, product: known, productText: text, ...nothing };
    const planned = await plan(request, signal);
    return planned.ok ? [] : planned.failures;
  };

  // A probe shall hear at once what does not answer: the one after it will try again.
  const probe = once(() =>
    createRegistry(configuration, {
      ...{ folder: scratch, signal, idle: 2000 },
      persist: createPersist(probePatience, { signal }),
    }),
  );
  const checks = forSeconds(2, () =>
    Promise.all(
      Object.entries(configuration.remotes).map(async ([name, { push }]) => {
        const asked = attempt(async () => (await probe()).manifest(`${push}/tributary:none`));
        const outcome = await inTime(asked, probeSeconds, () => failed(silent(push)));
        return {
          name: `registry ${name}`,
          ok: outcome.ok,
          detail: outcome.ok ? `${push} answers` : outcome.failures[0].detail,
        };
      }),
    ),
  );

  const again = exportAgain({
    ...{ configuration, registry },
    mirrors: async () => (await tools()).git.mirrors,
  });

  return { resolve, plan, checks, examine, vouched, exportAgain: again };
}

function silent(push: string): Failure {
  return {
    reason: 'registry-unavailable',
    detail: `${push} did not answer within ${probeSeconds} seconds.`,
    hint: 'See whether the registry runs, and whether the network of the service reaches it.',
  };
}

function platformOf(arch: string): string {
  return `linux/${arch === 'x64' ? 'amd64' : arch}`;
}
