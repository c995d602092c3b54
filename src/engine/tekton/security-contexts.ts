import { taskPhases } from '../../steps/task-input.ts';
import type { SecurityContext } from './tekton-api.ts';

const withoutRights: Omit<SecurityContext, 'runAsUser'> = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/** An ordinary user without any right. */
export const unprivileged: SecurityContext = {
  runAsUser: 1000,
  runAsNonRoot: true,
  ...withoutRights,
};

/** Root by name, without any capability: it can read what `run` wrote. */
export const rootWithoutRights: SecurityContext = { runAsUser: 0, ...withoutRights };

/**
 * What buildah needs to make a user namespace of its own, in which it unpacks images and runs code of a ref without CAP_SYS_CHROOT and without
 * network. The default seccomp profile of containerd forbids it.
 */
export const builder: SecurityContext = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: false,
  capabilities: { drop: ['ALL'], add: taskPhases.run.capabilities },
};
