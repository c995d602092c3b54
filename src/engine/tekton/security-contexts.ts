import { taskPhases } from '../../steps/task-input.ts';
import type { SecurityContext } from './tekton-api.ts';

/** An ordinary user without any right. */
export const unprivileged: SecurityContext = {
  runAsUser: 1000,
  runAsNonRoot: true,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
  seccompProfile: { type: 'RuntimeDefault' },
};

/**
 * What it takes to begin in a user namespace of its own, in which images are unpacked, and code of a ref runs without CAP_SYS_CHROOT and without
 * network. The default seccomp profile of containerd forbids it.
 */
export const builder: SecurityContext = {
  runAsUser: 0,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: false,
  capabilities: { drop: ['ALL'], add: taskPhases.run.capabilities },
};
