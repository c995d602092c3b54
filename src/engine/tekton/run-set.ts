import type { Cluster, ClusterChange, ClusterRun } from './cluster.ts';
import { isNewer } from './run-follower.ts';
import { tagLabel } from './run-names.ts';

/** Called with each run that changed, or is gone. */
export type RunListener = (run: ClusterRun, gone: boolean) => void;

/** All runs of builds, as they are now: kept up by one watch, which begins when somebody first asks. */
export class RunSet {
  readonly #cluster: Cluster;
  readonly #stop = new AbortController();
  readonly #runs = new Map<string, ClusterRun>();
  /** By what their tag is as a label value. */
  readonly #byTag = new Map<string, Map<string, ClusterRun>>();
  readonly #listeners = new Set<RunListener>();
  readonly #listed = Promise.withResolvers<void>();
  #watching = false;
  #complete = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
  }

  /** All of them; waits until they are known. */
  async all(): Promise<Iterable<ClusterRun>> {
    this.#begin();
    await this.#listed.promise;
    return this.#runs.values();
  }

  /** Those of a tag that are known now; undefined until all are known. */
  ofTag(label: string): readonly ClusterRun[] | undefined {
    this.#begin();
    return this.#complete ? [...(this.#byTag.get(label)?.values() ?? [])] : undefined;
  }

  /** Hears of changes until the function that it gives is called. */
  listen(listener: RunListener): () => void {
    this.#begin();
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A run that somebody got another way, perhaps earlier than the watch tells it. */
  learn(run: ClusterRun): void {
    const known = this.#runs.get(run.name);
    if (known !== undefined && !isNewer(run, known)) return;
    this.#runs.set(run.name, run);
    const same = this.#byTag.get(tagOf(run));
    if (same === undefined) this.#byTag.set(tagOf(run), new Map([[run.name, run]]));
    else same.set(run.name, run);
    for (const listener of this.#listeners) listener(run, false);
  }

  close(): void {
    this.#stop.abort();
    this.#listed.resolve();
  }

  #begin(): void {
    if (this.#watching) return;
    this.#watching = true;
    void this.#watch();
  }

  async #watch(): Promise<void> {
    for await (const change of this.#cluster.watchRuns(this.#stop.signal)) {
      this.#apply(change);
      this.#complete = true;
      this.#listed.resolve();
    }
  }

  #apply(change: ClusterChange<ClusterRun>): void {
    if (change.kind === 'put') this.learn(change.item);
    else if (change.kind === 'gone') this.#forget(change.item);
    else {
      const names = new Set(change.items.map(({ name }) => name));
      for (const run of this.#runs.values()) {
        // What was learned of while they were listed is newer than the list: the watch tells of its end.
        if (!names.has(run.name) && isNewer(change, run)) this.#forget(run);
      }
      for (const run of change.items) this.learn(run);
    }
  }

  #forget(run: ClusterRun): void {
    const known = this.#runs.get(run.name);
    // A new run of the same name may be there already.
    if (known !== undefined && known.uid !== run.uid) return;
    this.#runs.delete(run.name);
    const same = this.#byTag.get(tagOf(run));
    same?.delete(run.name);
    if (same?.size === 0) this.#byTag.delete(tagOf(run));
    for (const listener of this.#listeners) listener(run, true);
  }
}

/** The tag that a run says it is of, as a label value. */
export function tagOf(run: ClusterRun): string {
  return run.labels[tagLabel] ?? '';
}
