/** Who calls: an identity of Kubernetes, as TokenReview tells it and SubjectAccessReview takes it. */
export interface Caller {
  readonly user: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra: Readonly<Record<string, readonly string[]>>;
}

/** What a caller may be allowed to do; each is a verb on a resource, see {@link attributes}. */
export type Permission = 'get' | 'create' | 'update' | 'approve' | 'withdraw';

/** Says who a caller is and what they may do. Throws FailureError `cluster-unavailable` where the cluster does not answer. */
export interface Access {
  /** Undefined: the token is nobody's. */
  identify(token: string): Promise<Caller | undefined>;
  allows(caller: Caller, permission: Permission): Promise<boolean>;
}

/** What RBAC rules name for a permission. */
export interface ResourceAttributes {
  readonly group: 'tekton.dev';
  readonly resource: 'pipelineruns';
  readonly subresource?: 'build' | 'approval';
  readonly verb: 'get' | 'create' | 'update' | 'delete';
}

const runs = { group: 'tekton.dev', resource: 'pipelineruns' } as const;

/**
 * The rights on `pipelineruns` that count: one of those listed is enough. Who may create PipelineRuns may run anything in the
 * namespace, with its secrets; so the roles that are shipped give `pipelineruns/build`, a subresource that RBAC rules
 * alone know (as `certificatesigningrequests/approval`) and that this service alone asks for. Who may build must not vouch for code by that: approvals have one of their own.
 */
export const attributes: Readonly<
  Record<Permission, readonly [ResourceAttributes, ...ResourceAttributes[]]>
> = {
  get: [{ ...runs, verb: 'get' }],
  create: [
    { ...runs, verb: 'create' },
    { ...runs, subresource: 'build', verb: 'create' },
  ],
  update: [
    { ...runs, verb: 'update' },
    { ...runs, subresource: 'build', verb: 'update' },
  ],
  approve: [{ ...runs, subresource: 'approval', verb: 'create' }],
  withdraw: [{ ...runs, subresource: 'approval', verb: 'delete' }],
};

/** The shipped role (deploy/base) that gives a permission. */
export const roles: Readonly<Record<Permission, string>> = {
  get: 'tributary-viewer',
  create: 'tributary-builder',
  update: 'tributary-builder',
  approve: 'tributary-approver',
  withdraw: 'tributary-approver',
};

/** `create pipelineruns.tekton.dev/approval`: a right as people and `kubectl auth can-i` say it. */
export function describeRight({ verb, resource, group, subresource }: ResourceAttributes): string {
  return `${verb} ${resource}.${group}${subresource === undefined ? '' : `/${subresource}`}`;
}
