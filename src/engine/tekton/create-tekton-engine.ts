import type { Build, NewBuild } from '../../builds/build.ts';
import type { BuildEvent } from '../../builds/event.ts';
import type { Outcome } from '../../builds/failure.ts';
import { isFinished } from '../../builds/fold.ts';
import { ok } from '../../builds/result.ts';
import { decideSubmission, type Existing } from '../../builds/submission.ts';
import type { Tekton } from '../../config/tekton.ts';
import type { Tag } from '../../plan/names.ts';
import type { Registry } from '../../steps/step.ts';
import type { Engine, Submission } from '../engine.ts';
import { alreadyFinished, notFound, stillRunning } from '../refusals.ts';
import { BuildFeeds } from './build-feeds.ts';
import { type Attempts, askedOf, latestOf } from './builds-of-runs.ts';
import type { Cluster } from './cluster.ts';
import { countOpen } from './count-open.ts';
import { KnownBuilds } from './known-builds.ts';
import { listBuilds } from './list-builds.ts';
import { NewAttempts } from './new-attempts.ts';
import type { PastBuilds } from './past-builds.ts';
import { cancelAnnotation } from './run-names.ts';
import { RunSet } from './run-set.ts';

export interface TektonEngineOptions {
  readonly cluster: Cluster;
  readonly settings: Tekton;
  /** Where plans and outcomes are read. */
  readonly registry: () => Promise<Registry>;
  /** Builds whose runs are gone. */
  readonly past: PastBuilds;
  /** URL of the service, for links; undefined: it has none. */
  readonly url: string | undefined;
  /** Tells the targets of a build; it is not waited for, and its failing is no failure of the build. */
  readonly notify: (
    build: Build,
    targets: readonly string[],
    moment: 'started' | 'finished',
  ) => void | Promise<void>;
  readonly now: () => Date;
  readonly report: (text: string, error?: unknown) => void;
}

/** Milliseconds that somebody who cancels waits for the end. */
const cancelPatience = 20_000;

/**
 * The engine of a cluster: an attempt is a PipelineRun, and that and the registry are the only truth. It keeps nothing of its own, so any number of them may
 * serve one namespace, and each answers for every build.
 */
export function createTektonEngine(options: TektonEngineOptions): Engine {
  const { cluster, past, now, report } = options;
  const closing = new AbortController();
  const runs = new RunSet(cluster);
  const feeds = new BuildFeeds(runs, options);

  const builds = new KnownBuilds({ ...options, runs, feeds });

  const tell = async (
    build: Build,
    targets: readonly string[],
    moment: 'started' | 'finished',
  ): Promise<void> => {
    try {
      await options.notify(build, targets, moment);
    } catch (error) {
      report(`nobody could be told that ${build.tag} ${moment}`, error);
    }
  };

  const attempts = new NewAttempts({
    ...{ ...options, runs, builds },
    started: (build, asked) => void tell(build, asked.notify, 'started'),
  });

  /** One look, and what follows from it; undefined where somebody was quicker. */
  const trySubmit = async (asked: NewBuild): Promise<Submission | undefined> => {
    const [sameTag, sameRun] = await Promise.all([
      builds.findIfReadable(asked.tag),
      cluster.run(asked.pipelinerun),
    ]);
    const stranger = sameRun && askedOf(sameRun)?.tag !== asked.tag;
    const decision = decideSubmission(asked, sameTag, stranger ? otherBuild(asked) : undefined);
    switch (decision) {
      case 'taken':
        return { kind: 'taken' };
      case 'known':
        return sameTag && { kind: 'known', build: sameTag.build };
      case 'create': {
        const build = await attempts.begin(asked, 1);
        return build && { kind: 'created', build };
      }
      default: {
        const build = await attempts.begin(asked, (sameTag?.build.attempt ?? 0) + 1);
        return build && { kind: 'restarted', build };
      }
    }
  };

  return {
    async submit(asked) {
      for (let tries = 0; tries < 10; tries += 1) {
        const submission = await trySubmit(asked);
        if (submission !== undefined) return submission;
      }
      throw new Error(`the runs of ${asked.tag} change faster than they can be read`);
    },

    get: (tag) => builds.look(tag),

    list: (query) =>
      listBuilds(query, {
        ...{ runs, past },
        statusOf: (attempts) => builds.status(attempts),
      }),

    countOpen: () => countOpen(runs),

    async *events(tag, signal): AsyncGenerator<BuildEvent> {
      const ending = AbortSignal.any([signal, closing.signal]);
      const there = await builds.quickAttempts(tag);
      if (there !== undefined) yield* feeds.events(there, ending);
      else yield* (await past.find(tag))?.events ?? [];
    },

    async log(tag, step, follow, signal) {
      const ending = AbortSignal.any([signal, closing.signal]);
      const there = await builds.quickAttempts(tag);
      if (there !== undefined) return feeds.log(there, step, follow, ending);
      const found = await past.find(tag);
      if (!found?.build.steps.some(({ id }) => id === step)) return undefined;
      return pieces(await found.log(step));
    },

    async cancel(tag) {
      const known = await builds.find(tag);
      if (known === undefined) return notFound(tag);
      if (isFinished(known.build.state)) return alreadyFinished(tag, known.build.state);
      const there = await builds.attempts(tag);
      return there === undefined ? notFound(tag) : cancelRun(tag, there);
    },

    async rerun(tag, { rebuild, requester }) {
      const known = await builds.find(tag);
      if (known === undefined) return notFound(tag);
      if (!isFinished(known.build.state)) return stillRunning(tag, known.build.state);
      const asked = { ...known.asked, rebuild, ...(requester !== undefined && { requester }) };
      const build = await attempts.begin(asked, known.build.attempt + 1);
      return build === undefined ? stillRunning(tag, 'queued') : ok(build);
    },

    async close() {
      closing.abort();
      feeds.close();
      runs.close();
    },
  };

  async function cancelRun(tag: Tag, there: Attempts): Promise<Outcome<Build>> {
    const run = latestOf(there);
    return feeds.use(there, async (feed) => {
      const annotations = { [cancelAnnotation]: now().toISOString() };
      const changed = await cluster.change(run.name, { annotations, cancel: true });
      if (changed === undefined) return notFound(tag);
      runs.learn(changed);
      const late = AbortSignal.any([AbortSignal.timeout(cancelPatience), closing.signal]);
      for await (const _ of feed.events(late));
      const build = feed.status();
      // Of every other end the report tells.
      if (build.state === 'cancelled') void tell(build, askedOf(run)?.notify ?? [], 'finished');
      return !isFinished(build.state) || build.state === 'cancelled'
        ? ok(build)
        : alreadyFinished(tag, build.state);
    });
  }
}

/** What has the same run's name, and is another build: all that has to be known of it. */
function otherBuild(asked: NewBuild): Existing {
  return {
    lockDigest: asked.lockDigest,
    build: { tag: asked.tag, state: 'running', failure: null },
  };
}

async function* pieces(text: string | undefined): AsyncGenerator<string> {
  if (text !== undefined && text !== '') yield text;
}
