import type { Json } from './service.ts';

/**
 * What keeps a SecurityContextConstraints of OpenShift from admitting a pod; nothing: it admits it. These are its rules for what pods of ours may
 * differ in (openshift/apiserver-library-go, pkg/securitycontextconstraints). What a pod leaves open it fills in: a user of the namespace, capabilities to drop.
 */
export function complaints(scc: Json, { spec }: Json): readonly string[] {
  const containers: Json[] = [...(spec.initContainers ?? []), ...spec.containers];
  return [
    ...['hostPID', 'hostNetwork', 'hostIPC'].filter((field) => spec[field] === true),
    ...spec.volumes
      .map((volume: Json) => Object.keys(volume).find((key) => key !== 'name'))
      .filter((kind: string) => !scc.volumes.includes(kind))
      .map((kind: string) => `volume ${kind}`),
    ...containers.flatMap((container) =>
      ofContainer(scc, spec.securityContext ?? {}, container).map(
        (complaint) => `${container.name}: ${complaint}`,
      ),
    ),
  ];
}

function ofContainer(scc: Json, ofPod: Json, { securityContext = {} }: Json): readonly string[] {
  const {
    runAsUser,
    seccompProfile,
    capabilities = {},
    ...rest
  } = {
    ...{ runAsUser: ofPod.runAsUser, seccompProfile: ofPod.seccompProfile },
    ...securityContext,
  };
  const { add = [] } = capabilities;
  const seccomp = profileName(seccompProfile ?? seccompGiven(scc));
  return [
    ...(rest.privileged && !scc.allowPrivilegedContainer ? ['privileged'] : []),
    ...(rest.allowPrivilegeEscalation && !scc.allowPrivilegeEscalation ? ['escalation'] : []),
    ...(runAsUser !== undefined && scc.runAsUser.type !== 'RunAsAny' ? [`user ${runAsUser}`] : []),
    ...add.filter((one: string) => !scc.allowedCapabilities.includes(one)),
    ...(seccomp === undefined || allows(scc.seccompProfiles, seccomp)
      ? []
      : [`seccomp ${seccomp}`]),
  ];
}

/** The seccomp profile that it writes into a pod that names none: the first that is a name. */
export function seccompGiven({ seccompProfiles }: Json): { readonly type: string } | undefined {
  const first = seccompProfiles.find((one: string) => one !== '*');
  if (first === undefined) return undefined;
  return { type: first === 'unconfined' ? 'Unconfined' : 'RuntimeDefault' };
}

function profileName(profile: { readonly type: string } | undefined): string | undefined {
  if (profile === undefined) return undefined;
  return profile.type === 'Unconfined' ? 'unconfined' : 'runtime/default';
}

function allows(profiles: readonly string[], name: string): boolean {
  return profiles.includes('*') || profiles.includes(name);
}

/** OpenShift's own, for everybody (openshift/cluster-kube-apiserver-operator, bindata/bootkube/scc-manifests). */
export const restrictedV2: Json = {
  ...{ allowPrivilegedContainer: false, allowPrivilegeEscalation: false },
  allowedCapabilities: ['NET_BIND_SERVICE'],
  runAsUser: { type: 'MustRunAsRange' },
  seccompProfiles: ['runtime/default'],
  volumes: [
    ...['configMap', 'csi', 'downwardAPI', 'emptyDir', 'ephemeral', 'image'],
    ...['persistentVolumeClaim', 'projected', 'secret'],
  ],
};
