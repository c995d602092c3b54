import { z } from 'zod';
import type { Approval, Approvals } from '../../access/approvals.ts';
import { FailureError } from '../../builds/failure.ts';
import { type CommitSha, parseCommitSha } from '../../plan/names.ts';
import { ApiError, type KubernetesApi } from './kubernetes-api.ts';

const ConfigMap = z.object({
  metadata: z.object({ name: z.string(), uid: z.string(), resourceVersion: z.string() }),
  data: z
    .object({ commit: z.string(), ref: z.string(), by: z.string(), at: z.string() })
    .partial()
    .nullish(),
});

const ConfigMapList = z.object({
  metadata: z.object({ continue: z.string().optional() }),
  items: z.array(ConfigMap),
});

/** Found by it: `kubectl get configmap -l tributary.dev/kind=approval`. */
const label = 'tributary.dev/kind';
const kind = 'approval';

/** Approvals of a namespace, each a ConfigMap named by its commit: one create decides who was first. */
export function createConfigMapApprovals(
  api: Pick<KubernetesApi, 'ask'>,
  namespace: string,
): Approvals {
  const all = `/api/v1/namespaces/${namespace}/configmaps`;
  const at = (commit: CommitSha) => `${all}/approval-${commit}`;

  const read = async (commit: CommitSha) => {
    const answer = await api.ask('GET', at(commit)).catch(unless(404));
    if (answer === undefined) return undefined;
    const map = demandShape(ConfigMap, answer);
    return { map, approval: approvalOf(map) };
  };

  return {
    find: async (commit) => (await read(commit))?.approval,

    async add(approval) {
      for (;;) {
        const made = await api.ask('POST', all, { body: render(approval) }).catch(unless(409));
        if (made !== undefined) return { added: true, approval };
        const known = await read(approval.commit);
        // It was withdrawn in between.
        if (known === undefined) continue;
        if (known.approval === undefined) throw strange(known.map.metadata.name);
        return { added: false, approval: known.approval };
      }
    },

    async list() {
      const found: Approval[] = [];
      let next: string | undefined;
      do {
        const query = { labelSelector: `${label}=${kind}`, limit: 500, continue: next };
        const page = demandShape(ConfigMapList, await api.ask('GET', all, { query }));
        found.push(...page.items.flatMap((map) => approvalOf(map) ?? []));
        next = page.metadata.continue;
      } while (next !== undefined && next !== '');
      return found.sort((a, b) => (a.at < b.at ? 1 : -1));
    },

    async remove(commit) {
      for (;;) {
        const known = await read(commit);
        if (known?.approval === undefined) return undefined;
        const { uid, resourceVersion } = known.map.metadata;
        const body = {
          ...{ apiVersion: 'v1', kind: 'DeleteOptions' },
          preconditions: { uid, resourceVersion },
        };
        // 409: somebody changed it, 404: took it away, in between: what is there now is looked at again.
        const gone = await api.ask('DELETE', at(commit), { body }).catch(unless(404, 409));
        if (gone !== undefined) return known.approval;
      }
    },
  };
}

/** What an API server refuses for one of these reasons is undefined; all else goes on. */
function unless(...statuses: readonly number[]) {
  return (error: unknown): undefined => {
    if (error instanceof ApiError && statuses.includes(error.status)) return undefined;
    throw error;
  };
}

function render(approval: Approval): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `approval-${approval.commit}`,
      labels: { [label]: kind, 'app.kubernetes.io/managed-by': 'tributary' },
    },
    data: { ...approval },
    // Who may change ConfigMaps must not make another approval of one.
    immutable: true,
  };
}

function approvalOf({ metadata, data }: z.infer<typeof ConfigMap>): Approval | undefined {
  const { ref, by, at } = data ?? {};
  const commit = parseCommitSha(data?.commit ?? '');
  if (commit === undefined || ref === undefined || by === undefined || at === undefined)
    return undefined;
  return metadata.name === `approval-${commit}` ? { commit, ref, by, at } : undefined;
}

function demandShape<Value>(schema: z.ZodType<Value>, answer: unknown): Value {
  const parsed = schema.safeParse(answer);
  if (parsed.success) return parsed.data;
  throw new FailureError({
    reason: 'cluster-unavailable',
    detail: 'The cluster does not answer with ConfigMaps as Kubernetes does.',
    hint: 'Check what answers at the address of its API server.',
  });
}

function strange(name: string): FailureError {
  return new FailureError({
    reason: 'bad-state',
    detail: `There is a ConfigMap ${name} that is no approval.`,
    hint: `Look at it, and delete it: kubectl delete configmap ${name}`,
  });
}
