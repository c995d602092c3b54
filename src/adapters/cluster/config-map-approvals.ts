import { z } from 'zod';
import type { Approval, Approvals } from '../../access/approvals.ts';
import { FailureError } from '../../builds/failure.ts';
import { type CommitSha, parseCommitSha } from '../../plan/names.ts';
import type { AskCluster } from './cluster-api.ts';

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
const label = { 'tributary.dev/kind': 'approval' } as const;

/** Approvals of a namespace, each a ConfigMap named by its commit: one create decides who was first. */
export function createConfigMapApprovals(ask: AskCluster, namespace: string): Approvals {
  const all = `/api/v1/namespaces/${namespace}/configmaps`;
  const at = (commit: CommitSha) => `${all}/approval-${commit}`;

  const read = async (commit: CommitSha) => {
    const { status, body } = await ask({ method: 'GET', path: at(commit) });
    if (status === 404) return undefined;
    const map = demandShape(ConfigMap, status, body);
    const approval = approvalOf(map);
    // A ConfigMap of this name that says something else approves nothing.
    return approval?.commit === commit ? { approval, map } : undefined;
  };

  return {
    find: async (commit) => (await read(commit))?.approval,

    async add(approval) {
      for (;;) {
        const { status, body } = await ask({ method: 'POST', path: all, body: render(approval) });
        if (status !== 409) {
          demandShape(ConfigMap, status, body);
          return { added: true, approval };
        }
        const known = await read(approval.commit);
        if (known !== undefined) return { added: false, approval: known.approval };
        // It was withdrawn in between; or it is no approval, and somebody has to look at it.
        const { status: there } = await ask({ method: 'GET', path: at(approval.commit) });
        if (there !== 404) throw strange(`approval-${approval.commit}`);
      }
    },

    async list() {
      const found: Approval[] = [];
      let next = '';
      do {
        const query = new URLSearchParams({
          labelSelector: Object.entries(label)
            .map(([key, value]) => `${key}=${value}`)
            .join(','),
          limit: '500',
          ...(next === '' ? {} : { continue: next }),
        });
        const { status, body } = await ask({ method: 'GET', path: `${all}?${query}` });
        const page = demandShape(ConfigMapList, status, body);
        found.push(...page.items.flatMap((map) => approvalOf(map) ?? []));
        next = page.metadata.continue ?? '';
      } while (next !== '');
      return found.sort((a, b) => (a.at < b.at ? 1 : -1));
    },

    async remove(commit) {
      for (;;) {
        const known = await read(commit);
        if (known === undefined) return undefined;
        const { uid, resourceVersion } = known.map.metadata;
        const { status, body } = await ask({
          method: 'DELETE',
          path: at(commit),
          body: {
            apiVersion: 'v1',
            kind: 'DeleteOptions',
            preconditions: { uid, resourceVersion },
          },
        });
        // 409: somebody else changed it, or made it anew: what is there now is looked at again.
        if (status === 409) continue;
        if (status === 404) return undefined;
        if (status >= 300) throw unusable(status, body);
        return known.approval;
      }
    },
  };
}

function render(approval: Approval): object {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: `approval-${approval.commit}`,
      labels: { ...label, 'app.kubernetes.io/managed-by': 'tributary' },
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

function demandShape<Value>(schema: z.ZodType<Value>, status: number, body: unknown): Value {
  const parsed = schema.safeParse(body);
  if (status < 300 && parsed.success) return parsed.data;
  throw unusable(status, body);
}

function unusable(status: number, body: unknown): FailureError {
  const said = (body as { message?: unknown } | undefined)?.message;
  return new FailureError({
    reason: 'access-unavailable',
    detail: `The cluster does not keep approvals as it should: ${typeof said === 'string' ? said : `status ${status}`}.`,
    hint: 'Try again; if it stays, look at the ConfigMaps with the label tributary.dev/kind=approval.',
  });
}

function strange(name: string): FailureError {
  return new FailureError({
    reason: 'access-unavailable',
    detail: `There is a ConfigMap ${name} that is no approval.`,
    hint: `Look at it, and delete it: kubectl delete configmap ${name}`,
  });
}
