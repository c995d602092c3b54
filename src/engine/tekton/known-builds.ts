import { attemptName } from '../../builds/attempt-name.ts';
import type { AskedBuild, Build } from '../../builds/build.ts';
import { type Failure, FailureError } from '../../builds/failure.ts';
import { isFinished } from '../../builds/fold.ts';
import type { Existing } from '../../builds/submission.ts';
import type { Tag } from '../../plan/names.ts';
import { pipelinerunName } from '../../plan/tag.ts';
import { isOver } from './attempt-view.ts';
import type { BuildFeeds } from './build-feeds.ts';
import {
  type Attempts,
  askedOf,
  keptBuild,
  latestOf,
  packBuild,
  sortAttempts,
} from './builds-of-runs.ts';
import type { Cluster, ClusterRun } from './cluster.ts';
import type { PastBuilds } from './past-builds.ts';
import { attemptOf } from './run-follower.ts';
import { labelValue, outcomeAnnotation, tagLabel } from './run-names.ts';
import type { RunSet } from './run-set.ts';

export interface KnownBuildsOptions {
  readonly cluster: Cluster;
  readonly past: PastBuilds;
  readonly runs: RunSet;
  readonly feeds: BuildFeeds;
  readonly report: (text: string, error?: unknown) => void;
}

/** A build that was asked for before. */
export interface KnownBuild extends Existing {
  readonly build: Build;
  readonly asked: AskedBuild;
}

/** Milliseconds that an answer waits for what is not known yet: what a build came to has to be found out, of one that runs the answer tells as much as is known. */
const patience = { over: 10_000, running: 2000 } as const;

/** What the cluster and the registry say of builds. */
export class KnownBuilds {
  readonly #options: KnownBuildsOptions;

  constructor(options: KnownBuildsOptions) {
    this.#options = options;
  }

  /** The runs of a build that are there; undefined: none. The API server reads all runs of the namespace for it. */
  async attempts(tag: Tag): Promise<Attempts | undefined> {
    const found = await this.#options.cluster.runs(tagLabel, labelValue(tag));
    return attemptsOf(tag, found);
  }

  /**
   * The same for somebody who only looks: the runs that are known of, the latest of them as it is at this moment, and those that another replica has just
   * created. Two questions by name, however many runs there are.
   */
  async quickAttempts(tag: Tag): Promise<Attempts | undefined> {
    const known = this.#options.runs.ofTag(labelValue(tag));
    if (known === undefined) return this.attempts(tag);
    return attemptsOf(tag, await this.#upToDate(tag, known));
  }

  async #upToDate(tag: Tag, known: readonly ClusterRun[]): Promise<readonly ClusterRun[]> {
    const { cluster, runs } = this.#options;
    const latest = Math.max(0, ...known.map(attemptOf));
    const at = (attempt: number) => cluster.run(attemptName(pipelinerunName(tag), attempt));
    const asked = await Promise.all([...(latest > 0 ? [at(latest)] : []), at(latest + 1)]);
    const fresh = asked.filter((run) => run !== undefined);
    for (const run of fresh) runs.learn(run);
    const found = [...known.filter((run) => attemptOf(run) !== latest), ...fresh];
    return asked.at(-1) === undefined ? found : this.#upToDate(tag, found);
  }

  /** What a build came to or how far it is; kept on its run when it is over. */
  async status(attempts: Attempts): Promise<Build> {
    const run = latestOf(attempts);
    const kept = keptBuild(run);
    if (kept !== undefined) return kept;
    const build = await this.#options.feeds.use(attempts, async (feed) => {
      const whole = await feed.caughtUp(isOver(run) ? patience.over : patience.running);
      if (!whole && isOver(run)) throw new FailureError(unreadable(run));
      return feed.status();
    });
    if (isFinished(build.state) && isOver(run)) this.#keep(run, build);
    return build;
  }

  /** A build that is there, or was. */
  async find(tag: Tag): Promise<KnownBuild | undefined> {
    return (await this.#known(await this.attempts(tag))) ?? this.#past(tag);
  }

  /** The same for somebody who only looks: see {@link quickAttempts}. */
  async look(tag: Tag): Promise<Build | undefined> {
    const known = (await this.#known(await this.quickAttempts(tag))) ?? (await this.#past(tag));
    return known?.build;
  }

  /** The same for somebody who asks for it: where the registry does not answer, what it would say of a run that is gone does not matter. */
  async findIfReadable(tag: Tag): Promise<KnownBuild | undefined> {
    const known = await this.#known(await this.attempts(tag));
    if (known !== undefined) return known;
    return this.#past(tag).catch((error: unknown) => {
      this.#options.report(`whether ${tag} was built before cannot be read`, error);
      return undefined;
    });
  }

  async #known(attempts: Attempts | undefined): Promise<KnownBuild | undefined> {
    const asked = attempts && askedOf(latestOf(attempts));
    if (attempts === undefined || asked === undefined) return undefined;
    return { asked, lockDigest: asked.lockDigest, build: await this.status(attempts) };
  }

  async #past(tag: Tag): Promise<KnownBuild | undefined> {
    const found = await this.#options.past.find(tag);
    return found && { ...found, lockDigest: found.asked.lockDigest };
  }

  #keep(run: ClusterRun, build: Build): void {
    const { cluster, runs, report } = this.#options;
    const annotations = { [outcomeAnnotation]: packBuild(build) };
    cluster.change(run.name, { annotations }).then(
      (changed) => changed && runs.learn(changed),
      (error) => report(`what became of ${build.tag} is not kept on its run`, error),
    );
  }
}

function attemptsOf(tag: Tag, found: readonly ClusterRun[]): Attempts | undefined {
  // A long tag is shortened in the label: the whole one stands in the build.
  return sortAttempts(found.filter((run) => askedOf(run)?.tag === tag));
}

function unreadable(run: ClusterRun): Failure {
  return {
    reason: 'registry-unavailable',
    detail: `What became of the run ${run.name} cannot be read from the registry now.`,
    hint: 'Ask again in a moment. If it stays so, see whether the registry answers: `GET /readyz`.',
    about: { attempt: attemptOf(run) },
  };
}
