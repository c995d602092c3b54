import type { Kubectl } from '../cluster/kubectl.ts';
import { renderOverlay } from './render-overlay.ts';

/**
 * Installs the rights of deploy/ in a namespace of their own, without the service, and a ServiceAccount with each role for
 * callers, named like it. Gives what takes all of it away.
 */
export async function installRights(
  kubectl: Kubectl,
  namespace: string,
): Promise<() => Promise<void>> {
  const kinds = ['Namespace', 'ServiceAccount', 'Role', 'RoleBinding', 'ClusterRoleBinding'];
  const rights = renderOverlay('kubernetes', namespace)
    .filter(({ kind }) => kinds.includes(kind))
    .map((one) =>
      // Of the whole cluster: one for each namespace.
      one.kind === 'ClusterRoleBinding'
        ? { ...one, metadata: { ...one.metadata, name: namespace } }
        : one,
    );
  await applyObjects(kubectl, rights);
  for (const role of ['viewer', 'builder', 'approver']) {
    await kubectl(['create', 'serviceaccount', role, '-n', namespace]);
    await kubectl([
      ...['create', 'rolebinding', role, `--role=tributary-${role}`],
      ...[`--serviceaccount=${namespace}:${role}`, '-n', namespace],
    ]);
  }
  return async () => {
    await kubectl(['delete', 'clusterrolebinding', namespace, '--ignore-not-found']);
    await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait=false']);
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
