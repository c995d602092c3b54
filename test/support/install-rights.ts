import type { Kubectl } from '../cluster/kubectl.ts';
import type { TestNamespace } from './cluster.ts';
import { renderOverlay } from './render-overlay.ts';

/**
 * Installs the rights of deploy/ in a namespace, without the service, and a ServiceAccount with each role for callers,
 * named like it. What is not of the namespace goes with what this gives.
 */
export async function installRights(space: TestNamespace): Promise<AsyncDisposable> {
  const { name, kubectl } = space;
  const kinds = ['ServiceAccount', 'Role', 'RoleBinding', 'ClusterRoleBinding'];
  const rights = renderOverlay('kubernetes', name).filter(({ kind }) => kinds.includes(kind));
  await applyObjects(kubectl, rights);
  for (const role of ['viewer', 'builder', 'approver']) {
    await kubectl(['create', 'serviceaccount', role]);
    await kubectl([
      ...['create', 'rolebinding', role, `--role=tributary-${role}`],
      `--serviceaccount=${name}:${role}`,
    ]);
  }
  return {
    async [Symbol.asyncDispose]() {
      await kubectl(['delete', 'clusterrolebinding', `tributary:${name}`]);
    },
  };
}

/** Server-side apply, which refuses fields that a kind does not have; gives what it says of each object. */
export function applyObjects(
  kubectl: Kubectl,
  items: readonly object[],
  ...options: string[]
): Promise<string> {
  // As JSON: what YAML writes as `yes` is a boolean to Kubernetes.
  const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items });
  return kubectl(['apply', '--server-side', ...options, '-f', '-'], list);
}
