import { FailureError } from '../../builds/failure.ts';
import { isOver } from '../../engine/tekton/attempt-view.ts';
import type { Cluster, ClusterRun } from '../../engine/tekton/cluster.ts';
import type { NewPipelineRun } from '../../engine/tekton/tekton-api.ts';
import { ApiError, type KubernetesApi } from './kubernetes-api.ts';
import { linesOf, list, listWatch } from './list-watch.ts';
import { readPodTrouble, readRun, readTask } from './read-objects.ts';

export interface TektonClusterOptions {
  readonly namespace: string;
  /** Label that all runs of this service have: `key` or `key=value`. */
  readonly selector: string;
  /** Seconds of one watch; default: 30. */
  readonly watchSeconds?: number;
}

/** The {@link Cluster} of a namespace, by the API server's own protocol. */
export function createTektonCluster(
  api: KubernetesApi,
  { namespace, selector, watchSeconds = 30 }: TektonClusterOptions,
): Cluster {
  const runs = `/apis/tekton.dev/v1/namespaces/${namespace}/pipelineruns`;
  const tasks = `/apis/tekton.dev/v1/namespaces/${namespace}/taskruns`;
  const pods = `/api/v1/namespaces/${namespace}/pods`;
  const at = (path: string, name: string) => `${path}/${encodeURIComponent(name)}`;
  const forever = new AbortController().signal;

  return {
    namespace,

    async create(run: NewPipelineRun): Promise<ClusterRun | 'exists'> {
      try {
        return demandRun(await api.ask('POST', runs, { body: run }));
      } catch (error) {
        if (error instanceof ApiError && error.status === 409) return 'exists';
        throw error instanceof ApiError ? refused(error) : error;
      }
    },

    run: (name) => unlessGone(async () => demandRun(await api.ask('GET', at(runs, name)))),

    async runs(label, value) {
      const query = { labelSelector: `${label}=${value}` };
      const found = await list(api, runs, { query, read: readRun, signal: forever }).catch(
        (error: unknown) => {
          throw error instanceof ApiError ? refused(error) : error;
        },
      );
      return found.items;
    },

    change: (name, { annotations, cancel }) =>
      unlessGone(async () => {
        const body = {
          ...(annotations && { metadata: { annotations } }),
          ...(cancel && { spec: { status: 'Cancelled' } }),
        };
        const contentType = 'application/merge-patch+json';
        try {
          return demandRun(await api.ask('PATCH', at(runs, name), { body, contentType }));
        } catch (error) {
          if (!cancel || !(error instanceof ApiError)) throw error;
          // Tekton refuses it of a run that is over, which it may have become a moment ago.
          const run = demandRun(await api.ask('GET', at(runs, name)));
          if (isOver(run)) return run;
          throw error;
        }
      }),

    watchRuns: (signal) =>
      listWatch(api, runs, {
        query: { labelSelector: selector },
        read: readRun,
        signal,
        seconds: watchSeconds,
      }),

    watchTasks: ({ name, uid }, signal) =>
      listWatch(api, tasks, {
        query: { labelSelector: `tekton.dev/pipelineRun=${name}` },
        read: (object) => readTask(object, uid),
        signal,
        seconds: watchSeconds,
      }),

    async *log(pod, container, { follow, signal }) {
      const query = { container, follow: String(follow) };
      // A step may be silent for as long as a compiler is; that its container ended is told by the watch.
      const idle = follow ? 0 : 30_000;
      yield* linesOf(api.stream(`${at(pods, pod)}/log`, { query, signal, idle }), longestLine);
    },

    podTrouble: (pod) =>
      unlessGone(async () => readPodTrouble(await api.ask('GET', at(pods, pod)))),
  };
}

/** Characters of a line of a log that are read: the failure of a step, with its last lines, is a fraction of it. */
const longestLine = 2 ** 20;

function demandRun(object: unknown): ClusterRun {
  const run = readRun(object);
  if (run === undefined)
    throw new Error('the API server answered with something else than a PipelineRun');
  return run;
}

async function unlessGone<Value>(ask: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/** What no request of ours can be the reason of: Tekton is not there, or does not take what the configuration says. */
function refused({ status, message }: ApiError): FailureError {
  return new FailureError({
    reason: 'run-refused',
    detail:
      status === 404
        ? 'The cluster knows no PipelineRuns.'
        : `The cluster does not take the PipelineRun: ${message}`,
    hint:
      status === 404
        ? 'Install Tekton Pipelines: `kubectl api-resources --api-group=tekton.dev` shows whether it is there.'
        : 'Correct what it names under `tekton` in the configuration; where that names nothing of it, ask whoever runs the cluster.',
  });
}
