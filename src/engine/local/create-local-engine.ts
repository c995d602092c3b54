import { rm } from 'node:fs/promises';
import type { Build } from '../../builds/build.ts';
import type { Outcome } from '../../builds/failure.ts';
import { isFinished } from '../../builds/fold.ts';
import { ok } from '../../builds/result.ts';
import { decideSubmission, type Existing } from '../../builds/submission.ts';
import type { Tag } from '../../plan/names.ts';
import type { Engine, Submission } from '../engine.ts';
import { alreadyFinished, notFound, stillRunning } from '../refusals.ts';
import { Feeds } from './feeds.ts';
import { isAlive, registerOwner } from './owner.ts';
import { temporaryFolder } from './state-folder.ts';
import { readStepLog } from './step-log.ts';
import type { StepProcessOptions } from './step-process.ts';
import { StepProcesses } from './step-processes.ts';
import type { BuildStore, StoredBuild } from './store.ts';
import { sweep } from './sweep.ts';
import {
  append,
  readStatus,
  settleCancelled,
  startAttempt,
  Worker,
  type WorkerOptions,
} from './worker.ts';

export interface LocalEngineOptions
  extends Pick<
    WorkerOptions,
    'store' | 'state' | 'toolSet' | 'notify' | 'now' | 'report' | 'work'
  > {
  readonly steps: StepProcessOptions;
  readonly limits: {
    readonly builds: number;
    readonly steps: number;
    /** Finished builds stay that long, with their events, runs and logs. */
    readonly keepDays: number;
  };
  /** Keeps within their limits what steps share; runs at the start, and then every hour. */
  readonly makeRoom?: () => Promise<void>;
  /** Removes a step's folder with all in it; default: as this user. */
  readonly removeFolder?: (folder: string) => Promise<void>;
}

/**
 * The engine of one machine: steps are child processes, the truth is the store. Several engines may share one
 * state folder (a service and the CLI beside it): each build is run by one of them, and all see it.
 */
export function createLocalEngine(options: LocalEngineOptions): Engine {
  const { store, state, now } = options;
  const owner = registerOwner();
  const closing = new AbortController();
  const feeds = new Feeds(store);
  const removeFolder =
    options.removeFolder ??
    ((folder) => rm(folder, { recursive: true, force: true, maxRetries: 3 }));
  const temporary = temporaryFolder(state, owner.id);
  const processes = new StepProcesses({
    ...options.steps,
    ...{ temporary, removeFolder, report: options.report },
    // Whoever builds one thing needs it at once.
    spare: options.work === 'all',
  });
  const worker = new Worker({
    ...options,
    owner,
    openProcesses: () => processes.forAttempt(),
    changed: (tag) => feeds.refresh(tag),
  });
  const unwatch = store.watch(() => {
    try {
      feeds.refresh();
      worker.lookForCancelled();
    } catch (error) {
      options.report('what another process wrote cannot be read', error);
    }
    worker.wake();
  });
  const clean = () => {
    if (options.work === 'none') return Promise.resolve();
    return sweep({ store, state, removeFolder, now, keepDays: options.limits.keepDays })
      .then(() => options.makeRoom?.())
      .catch((error) => options.report('cannot remove what is old', error));
  };
  const swept = clean();
  const sweeping = setInterval(() => void clean(), 60 * 60 * 1000).unref();
  // What others left behind is taken only after this call: the caller has not even got its engine yet.
  setImmediate(() => worker.wake());

  function begin(tag: Tag): Build {
    feeds.refresh(tag);
    worker.adopt(tag);
    return readStatus(store, demandBuild(store, tag));
  }

  /** A command that follows a build goes on with it where nobody does: it would wait for ever. */
  function follow(tag: Tag): void {
    if (options.work === 'own') worker.adopt(tag);
  }

  return {
    async submit(asked) {
      const kind = store.atomically((): Submission['kind'] => {
        const sameTag = store.find(asked.tag);
        const decision = decideSubmission(
          asked,
          sameTag && describeExisting(store, sameTag),
          describeExisting(store, store.findRun(asked.pipelinerun)),
        );
        if (decision === 'create') {
          store.insert(asked);
          store.enqueue(asked, 1);
          append(store, { asked, attempt: 1 }, now, [{ kind: 'queued' }]);
          return 'created';
        }
        if (decision === 'restart' && sameTag) {
          startAttempt(store, sameTag, asked, now);
          return 'restarted';
        }
        return decision === 'taken' ? 'taken' : 'known';
      });
      return kind === 'taken' ? { kind } : { kind, build: begin(asked.tag) };
    },

    async get(tag) {
      const build = store.find(tag);
      return build && readStatus(store, build);
    },

    async list(query) {
      const { builds, next } = store.list(query);
      return { builds: builds.map((build) => readStatus(store, build)), next };
    },

    async countOpen() {
      const open = store.open();
      const queued = open.filter(({ state }) => state === 'queued').length;
      return { queued, running: open.length - queued };
    },

    events: (tag, signal) => {
      follow(tag);
      return feeds.follow(tag, AbortSignal.any([signal, closing.signal]));
    },

    async log(tag, step, following, signal) {
      const build = store.find(tag);
      if (!build || !readStatus(store, build).steps.some(({ id }) => id === step)) return undefined;
      if (following) follow(tag);
      return readStepLog({
        ...{ state, tag, attempt: build.attempt, step, follow: following, feeds },
        signal: AbortSignal.any([signal, closing.signal]),
      });
    },

    async cancel(tag) {
      const decision = store.atomically(() => {
        const build = store.find(tag);
        if (build === undefined) return notFound(tag);
        if (isFinished(build.state)) return alreadyFinished(tag, build.state);
        append(store, build, now, [{ kind: 'cancel-requested' }]);
        // Nobody runs it: nobody else will say that it is over.
        if (build.owner === null || !isAlive(build.owner)) settleCancelled(store, build, now);
        return ok(build.owner);
      });
      feeds.refresh(tag);
      if (!decision.ok) return decision;
      await worker.cancel(tag);
      for await (const _ of feeds.follow(tag, closing.signal));
      const build = demandBuild(store, tag);
      // It may have come to its end while it was asked to stop.
      return build.state === 'cancelled'
        ? ok(readStatus(store, build))
        : alreadyFinished(tag, build.state);
    },

    async rerun(tag, { rebuild, requester }) {
      const decision = store.atomically((): Outcome<null> => {
        const build = store.find(tag);
        if (build === undefined) return notFound(tag);
        if (!isFinished(build.state)) return stillRunning(tag, build.state);
        const asked = { ...build.asked, rebuild, ...(requester !== undefined && { requester }) };
        startAttempt(store, build, asked, now);
        return ok(null);
      });
      return decision.ok ? ok(begin(tag)) : decision;
    },

    async close() {
      clearInterval(sweeping);
      processes.retire();
      await worker.close();
      await processes.close();
      await swept;
      await removeFolder(temporary);
      unwatch();
      closing.abort();
      owner.release();
    },
  };
}

function describeExisting(store: BuildStore, build: StoredBuild): Existing;
function describeExisting(store: BuildStore, build: StoredBuild | undefined): Existing | undefined;
function describeExisting(store: BuildStore, build: StoredBuild | undefined): Existing | undefined {
  return build && { lockDigest: build.asked.lockDigest, build: readStatus(store, build) };
}

function demandBuild(store: BuildStore, tag: Tag): StoredBuild {
  const build = store.find(tag);
  if (build === undefined) throw new Error(`build ${tag} is gone`);
  return build;
}
