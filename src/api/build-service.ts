import type { Approvals } from '../access/approvals.ts';
import type { Build } from '../builds/build.ts';
import { attempt, type Failure, type Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Engine } from '../engine/engine.ts';
import { submitBuild, type UnnamedBuild } from '../engine/submit-build.ts';
import { parseTag, type Tag } from '../plan/names.ts';
import type { Product } from '../product/product.ts';
import type { PlanAnswer, Readiness, Submitted } from './answers.ts';
import { createApprovalService } from './approval-service.ts';
import { attemptOutcome } from './attempt-outcome.ts';
import { renderLinks } from './links.ts';
import { listComponents } from './list-components.ts';
import { renderInstall } from './render-install.ts';
import type { LinkedBuild, Service } from './service.ts';

/** A request that was read and whose refs were resolved: everything but who asked. */
export type ResolvedRequest = Omit<UnnamedBuild, 'requester'>;

/** What a service is made of; main.ts chooses. Functions may throw FailureError. */
export interface ServiceParts {
  readonly engine: Engine;
  /** Read when it is needed: looking at builds needs no product file. */
  product(): Promise<Product>;
  readonly configuration: LoadedConfiguration;
  /** Where it is reached, without a slash at the end; undefined where it is not (a CLI by itself). */
  url(): string | undefined;
  resolve(body: unknown): Promise<Outcome<ResolvedRequest>>;
  plan(
    request: ResolvedRequest,
    signal: AbortSignal,
  ): Promise<
    Outcome<Pick<PlanAnswer, 'operatorVersion' | 'patches' | 'steps'> & { readonly tag: Tag }>
  >;
  checks(): Promise<Readiness['checks']>;
  readonly approvals: Approvals;
  /** Whether the refs of a build may be built (src/access/trust.ts). */
  vouched(read: Build['components']): Promise<Outcome<unknown>>;
}

/** Tirelessly the same: reads a tag, asks the engine, adds links. */
export function createBuildService(parts: ServiceParts): Service {
  const { engine, configuration, vouched } = parts;

  const withLinks = (build: Build): LinkedBuild => {
    const url = parts.url();
    if (url === undefined) return build;
    return { ...build, links: renderLinks(url, build.tag, referencesOf(build)) };
  };

  const find = async (tag: string): Promise<Outcome<Build>> => {
    const parsed = parseTag(tag);
    const build = parsed === undefined ? undefined : await engine.get(parsed);
    return build === undefined ? failed(noSuchBuild(tag, configuration.engine)) : ok(build);
  };

  const change = async (tag: string, act: (build: Build) => Promise<Outcome<Build>>) => {
    const found = await find(tag);
    if (!found.ok) return found;
    const outcome = await act(found.value);
    return outcome.ok ? ok(withLinks(outcome.value)) : outcome;
  };

  return {
    submit: (body, requester) =>
      attemptOutcome(async () => {
        const resolved = await parts.resolve(body);
        if (!resolved.ok) return resolved;
        const trusted = await vouched(resolved.value.read);
        if (!trusted.ok) return trusted;
        const { kind, build } = await submitBuild(engine, { ...resolved.value, requester });
        return ok(describeSubmission(kind, withLinks(build)));
      }),

    plan: (body, signal) =>
      attemptOutcome(async () => {
        const resolved = await parts.resolve(body);
        if (!resolved.ok) return resolved;
        // A patch of a ref may be a script, which is run for a plan too.
        const trusted = await vouched(resolved.value.read);
        if (!trusted.ok) return trusted;
        const planned = await parts.plan(resolved.value, signal);
        if (!planned.ok) return planned;
        const { lock, read } = resolved.value;
        return ok({ release: lock.release, components: read, ...planned.value });
      }),

    get: (tag) =>
      attemptOutcome(async () => {
        const found = await find(tag);
        return found.ok ? ok(withLinks(found.value)) : found;
      }),

    list: ({ mine = false, ...query }, requester) =>
      attempt(async () => {
        const page = await engine.list(mine ? { ...query, requester } : query);
        return { ...page, builds: page.builds.map(withLinks) };
      }),

    events: (tag, signal) =>
      attemptOutcome(async () => {
        const found = await find(tag);
        return found.ok ? ok(engine.events(found.value.tag, signal)) : found;
      }),

    log: (tag, step, follow, signal) =>
      attemptOutcome(async () => {
        const found = await find(tag);
        if (!found.ok) return found;
        const log = await engine.log(found.value.tag, step, follow, signal);
        return log === undefined ? failed(noSuchStep(found.value, step)) : ok(log);
      }),

    install: (tag) =>
      attemptOutcome(async () => {
        const found = await find(tag);
        if (!found.ok) return found;
        const build = found.value;
        if (build.state !== 'succeeded') return failed(notInstallable(build));
        return ok(renderInstall(installable(build, await parts.product(), configuration)));
      }),

    cancel: (tag) => attemptOutcome(() => change(tag, (build) => engine.cancel(build.tag))),
    rerun: (tag, options) =>
      attemptOutcome(() =>
        change(tag, async (build) => {
          // An approval may have been withdrawn since.
          const trusted = await vouched(build.components);
          return trusted.ok ? engine.rerun(build.tag, options) : trusted;
        }),
      ),
    ...createApprovalService(parts.approvals, () => new Date()),
    components: () => attempt(async () => listComponents(await parts.product(), configuration)),

    readiness: async () => {
      const checks = await parts.checks();
      // On a cluster, steps wait for registries by themselves, and the service has more to tell than what they hold: it must not go from everybody.
      const needed = configuration.engine === 'local';
      return { ready: !needed || checks.every((check) => check.ok), checks };
    },
  };
}

function describeSubmission(outcome: Submitted['outcome'], build: LinkedBuild): Submitted {
  const { tag, pipelinerun, state, attempt: run, release, queuePosition, components } = build;
  return {
    tag,
    pipelinerun,
    outcome,
    state,
    attempt: run,
    release,
    queuePosition,
    components,
    failure: build.failure,
    ...(build.links === undefined ? {} : { links: build.links }),
  };
}

function referencesOf(build: Build) {
  return {
    images: Object.fromEntries(build.images.map(({ name, image }) => [name, image])),
    bundle: build.bundle.image,
    index: build.index.image,
  };
}

function installable(build: Build, product: Product, configuration: LoadedConfiguration) {
  const remote = Object.values(configuration.remotes).find((candidate) =>
    build.bundle.image.startsWith(`${candidate.pull ?? candidate.push}/`),
  );
  return {
    tag: build.tag,
    package: product.bundle.package,
    channel: product.releases[build.release]?.channels[0] ?? 'latest',
    bundle: build.bundle.image,
    index: build.index.image,
    serve: product.index.serve,
    insecure: remote?.insecure ?? false,
    pullSecret: remote?.['pull-secret'] !== undefined,
  };
}

function noSuchBuild(tag: string, engine: LoadedConfiguration['engine']): Failure {
  const list = 'List them: tributary list, or GET /api/builds.';
  return {
    reason: 'build-not-found',
    detail: `There is no build ${JSON.stringify(tag.slice(0, 200))}.`,
    hint: engine === 'tekton' ? `${list} ${removed}` : list,
  };
}

const removed =
  'Where its PipelineRun was deleted before it ended, the build went with it: ask for it again, and what was finished is reused.';

function noSuchStep(build: Build, step: string): Failure {
  return {
    reason: 'step-not-found',
    detail: `The build ${build.tag} has no log of a step ${JSON.stringify(step.slice(0, 200))}.`,
    hint: `Its steps: ${build.steps.map(({ id }) => id).join(', ')}.`,
  };
}

function notInstallable(build: Build): Failure {
  if (build.state === 'queued' || build.state === 'running') {
    return {
      reason: 'not-finished',
      detail: `The build ${build.tag} is ${build.state}: there is nothing to install yet.`,
      hint: `Follow it: tributary status ${build.tag} --follow.`,
    };
  }
  return {
    reason: 'not-installable',
    detail: `The build ${build.tag} is ${build.state}: there is nothing to install.`,
    hint: `Run it again: tributary rerun ${build.tag}.`,
  };
}
