import { randomUUID } from 'node:crypto';
import type { AskedBuild, Build } from '../../builds/build.ts';
import { FailureError } from '../../builds/failure.ts';
import type { Tekton } from '../../config/tekton.ts';
import { type Attempts, sortAttempts } from './builds-of-runs.ts';
import type { Cluster, ClusterRun } from './cluster.ts';
import type { KnownBuilds } from './known-builds.ts';
import { renderRun, tooLong } from './render-run.ts';
import { submissionAnnotation } from './run-names.ts';
import type { RunSet } from './run-set.ts';

export interface NewAttemptsOptions {
  readonly cluster: Cluster;
  readonly settings: Tekton;
  /** URL of the service, for links; undefined: it has none. */
  readonly url: string | undefined;
  readonly runs: RunSet;
  readonly builds: KnownBuilds;
  readonly started: (build: Build, asked: AskedBuild) => void;
  readonly now: () => Date;
}

/** Begins attempts: each is a run, and who creates that was first. */
export class NewAttempts {
  readonly #options: NewAttemptsOptions;

  constructor(options: NewAttemptsOptions) {
    this.#options = options;
  }

  /** The build whose attempt this call began; undefined where somebody else was first. */
  async begin(asked: AskedBuild, attempt: number): Promise<Build | undefined> {
    const attempts = await this.#create(asked, attempt);
    if (attempts === undefined) return undefined;
    const build = await this.#options.builds.status(attempts);
    this.#options.started(build, asked);
    return build;
  }

  async #create(asked: AskedBuild, attempt: number): Promise<Attempts | undefined> {
    const { cluster, settings, url, runs, builds, now } = this.#options;
    const submission = randomUUID();
    const { namespace } = cluster;
    const run = renderRun(asked, { attempt, settings, namespace, url, submission, now: now() });
    const refusal = tooLong(run);
    if (refusal !== undefined) throw new FailureError(refusal);
    const created = await cluster.create(run);
    const made = created === 'exists' ? await cluster.run(run.metadata.name) : created;
    // An answer that was lost on its way is no reason to say that somebody else did it.
    if (made?.annotations[submissionAnnotation] !== submission) return undefined;
    runs.learn(made);
    return sortAttempts(
      [...((await builds.attempts(asked.tag)) ?? []), made].filter(isFirstOfItsName),
    );
  }
}

function isFirstOfItsName(run: ClusterRun, index: number, all: readonly ClusterRun[]): boolean {
  return all.findIndex(({ name }) => name === run.name) === index;
}
