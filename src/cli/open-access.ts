import type { Approvals } from '../access/approvals.ts';
import { rememberedAccess } from '../access/remembered-access.ts';
import { ownerName, type TrustParts } from '../access/trust.ts';
import { createConfigMapApprovals } from '../adapters/cluster/config-map-approvals.ts';
import { createKubernetesAccess } from '../adapters/cluster/kubernetes-access.ts';
import { createKubernetesApi } from '../adapters/cluster/kubernetes-api.ts';
import { openSqliteApprovals } from '../adapters/storage/sqlite-approvals.ts';
import type { Guard } from '../api/parts.ts';
import { FailureError } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import { findCluster } from './cluster-here.ts';
import { databaseFile } from './open-store.ts';

/** Who may use a service, and what is vouched for. */
export interface OpenedAccess {
  /** Undefined: whoever reaches it may do everything. */
  readonly guard: Guard | undefined;
  readonly approvals: Approvals;
  close(): void;
}

/**
 * As the configuration says: on a laptop, anyone, and approvals in the state folder; on a cluster, its identities, and
 * approvals in its ConfigMaps. Throws FailureError `bad-configuration` where nothing says how the cluster is reached.
 */
export async function openAccess(
  configuration: LoadedConfiguration,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<OpenedAccess> {
  const { access, state } = configuration;
  if (access.callers === 'anyone') {
    const approvals = openSqliteApprovals(databaseFile(state));
    return { guard: undefined, approvals, close: () => approvals.close() };
  }
  const here = await findCluster(configuration, environment);
  const namespace = access.namespace ?? here.namespace;
  const api = createKubernetesApi(here.connection);
  const { audiences } = access;
  const now = () => performance.now();
  const guard = {
    access: rememberedAccess(createKubernetesAccess(api, { namespace, audiences }), now),
    ...{ namespace, perMinute: access['requests-per-minute'], now },
  };
  return { guard, approvals: createConfigMapApprovals(api, namespace), close: () => {} };
}

/**
 * Tries both reviews once, so that a service whose rights are missing does not start. One that only does not get an
 * answer starts: it does nothing for anybody until it does.
 */
export async function checkAccess({ access }: Guard): Promise<void> {
  try {
    await access.identify('whether tokens can be reviewed');
    await access.allows({ user: 'system:anonymous', groups: [], extra: {} }, 'get');
  } catch (error) {
    if (error instanceof FailureError && error.failures[0].reason === 'cluster-unavailable') return;
    throw error;
  }
}

/** What a configuration demands of refs. */
export function trustOf({
  access,
}: Pick<LoadedConfiguration, 'access'>): Pick<TrustParts, 'demand' | 'owners'> {
  const { demand, owners } = access.trust;
  return {
    demand: demand ?? (access.callers === 'anyone' ? 'none' : 'allowed'),
    owners: new Set(owners.map(ownerName)),
  };
}
