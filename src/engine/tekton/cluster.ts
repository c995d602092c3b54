import type { NewPipelineRun } from './tekton-api.ts';

/** How something is going, as Tekton says: `Unknown` while it runs. */
export interface Condition {
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
}

/** A PipelineRun, as far as a build's status needs it. */
export interface ClusterRun {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly createdAt: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `Cancelled`, `CancelledRunFinally`, `PipelineRunPending`, … */
  readonly asked: string | undefined;
  readonly startedAt: string | undefined;
  readonly completedAt: string | undefined;
  readonly condition: Condition | undefined;
  /** Names of its TaskRuns. */
  readonly tasks: readonly string[];
}

/** A container of a task. */
export interface ClusterStep {
  readonly name: string;
  readonly container: string;
  readonly state: 'waiting' | 'running' | 'terminated';
  readonly reason: string;
  readonly exitCode: number | undefined;
  readonly startedAt: string | undefined;
}

/** A TaskRun: its last try. A pod that somebody deletes is made again under the same name, and is no further try. */
export interface ClusterTask {
  readonly name: string;
  /** `prepare`, `payload`, `manifests`, `images`, `assemble`, `report`. */
  readonly task: string;
  /** Its parameter `unit`. */
  readonly unit: string | undefined;
  readonly pod: string | undefined;
  readonly createdAt: string;
  readonly startedAt: string | undefined;
  readonly completedAt: string | undefined;
  readonly condition: Condition | undefined;
  readonly results: Readonly<Record<string, string | readonly string[]>>;
  readonly steps: readonly ClusterStep[];
  /** How often it was begun again. */
  readonly retries: number;
}

/** What happened to a set of objects: `all` of them as they were at a version, or one. */
export type ClusterChange<Item> =
  | { readonly kind: 'all'; readonly items: readonly Item[]; readonly resourceVersion: string }
  | { readonly kind: 'put'; readonly item: Item }
  | { readonly kind: 'gone'; readonly item: Item };

/**
 * The cluster as the engine sees it: one namespace, and in it what is ours. Throws FailureError (`cluster-unavailable`, `cluster-denied`). What is
 * watched goes on until `signal`, whatever happens to connections and servers.
 */
export interface Cluster {
  readonly namespace: string;
  /** Creates a run; `exists` where its name is taken. */
  create(run: NewPipelineRun): Promise<ClusterRun | 'exists'>;
  run(name: string): Promise<ClusterRun | undefined>;
  /** The runs with a label. */
  runs(label: string, value: string): Promise<readonly ClusterRun[]>;
  /** Changes a run, and gives it as it is then; undefined where it is gone. One that is over is not cancelled, and given as it is. */
  change(
    name: string,
    change: {
      readonly annotations?: Readonly<Record<string, string>>;
      /** True: ends all of its tasks, and begins none, not even the report. */
      readonly cancel?: boolean;
    },
  ): Promise<ClusterRun | undefined>;
  watchRuns(signal: AbortSignal): AsyncIterable<ClusterChange<ClusterRun>>;
  /** The tasks of exactly this run: one of the same name that was removed may have left some. */
  watchTasks(
    run: Pick<ClusterRun, 'name' | 'uid'>,
    signal: AbortSignal,
  ): AsyncIterable<ClusterChange<ClusterTask>>;
  /** The lines that a container prints, from its first one; with `follow`, until it ends. Throws where it breaks off. */
  log(
    pod: string,
    container: string,
    options: { readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<string>;
  /** Why a pod does not run, or ended as it did; undefined where it is gone or says nothing. */
  podTrouble(pod: string): Promise<string | undefined>;
}
