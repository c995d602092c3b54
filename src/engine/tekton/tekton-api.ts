/** What we write of Tekton's API (`tekton.dev/v1`) and Kubernetes' own: docs/reference of both projects. */

export interface ObjectMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface ResourceList {
  readonly requests?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
}

export interface SecurityContext {
  readonly runAsUser: number;
  readonly runAsNonRoot?: boolean;
  readonly allowPrivilegeEscalation: false;
  readonly readOnlyRootFilesystem: boolean;
  readonly capabilities: { readonly drop: readonly ['ALL']; readonly add?: readonly string[] };
  readonly seccompProfile?: { readonly type: 'RuntimeDefault' };
}

export interface VolumeMount {
  readonly name: string;
  readonly mountPath: string;
  readonly readOnly?: boolean;
}

export type Volume = { readonly name: string } & (
  | { readonly emptyDir: Readonly<Record<string, never>> }
  | { readonly secret: { readonly secretName: string; readonly optional?: boolean } }
  | {
      readonly projected: {
        readonly sources: readonly { readonly configMap: { readonly name: string } }[];
      };
    }
);

/** A result of a task, or of a container; `value`: where the one is the other. */
export interface TaskResult {
  readonly name: string;
  readonly type: 'string' | 'array';
  readonly description: string;
  readonly value?: string;
}

/** A container of a task: never with a `script`, into which Tekton would paste what people wrote. */
export interface TaskStep {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly onError?: 'continue';
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly securityContext: SecurityContext;
  readonly results?: readonly TaskResult[];
  readonly computeResources?: ResourceList;
  readonly volumeMounts: readonly VolumeMount[];
}

export interface Param {
  readonly name: string;
  readonly value: string;
}

export interface Task {
  readonly apiVersion: 'tekton.dev/v1';
  readonly kind: 'Task';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly description: string;
    readonly params: readonly { readonly name: string; readonly description: string }[];
    readonly results: readonly TaskResult[];
    readonly volumes: readonly Volume[];
    readonly steps: readonly TaskStep[];
  };
}

export interface PipelineTask {
  readonly name: string;
  readonly displayName: string;
  readonly taskRef: { readonly name: string };
  readonly runAfter?: readonly string[];
  readonly when?: readonly {
    readonly input: string;
    readonly operator: 'in' | 'notin';
    readonly values: readonly string[];
  }[];
  readonly retries?: number;
  readonly params: readonly Param[];
  readonly matrix?: { readonly params: readonly Param[] };
}

export interface PipelineSpec {
  readonly description: string;
  readonly params: readonly { readonly name: string; readonly description: string }[];
  readonly tasks: readonly PipelineTask[];
  readonly finally: readonly PipelineTask[];
}

export interface Pipeline {
  readonly apiVersion: 'tekton.dev/v1';
  readonly kind: 'Pipeline';
  readonly metadata: ObjectMeta;
  readonly spec: PipelineSpec;
}

export interface PodTemplate {
  readonly automountServiceAccountToken: false;
  readonly enableServiceLinks: false;
  readonly tolerations?: readonly object[];
  readonly priorityClassName?: string;
  readonly nodeSelector?: Readonly<Record<string, string>>;
}

export interface NewPipelineRun {
  readonly apiVersion: 'tekton.dev/v1';
  readonly kind: 'PipelineRun';
  readonly metadata: ObjectMeta;
  readonly spec: {
    readonly pipelineRef?: { readonly name: string };
    readonly pipelineSpec?: PipelineSpec;
    readonly params: readonly Param[];
    readonly timeouts: { readonly pipeline: string };
    readonly taskRunTemplate: {
      readonly serviceAccountName: string;
      readonly podTemplate: PodTemplate;
    };
    readonly taskRunSpecs: readonly {
      readonly pipelineTaskName: string;
      readonly timeout: string;
      readonly podTemplate: PodTemplate;
      readonly stepSpecs: readonly {
        readonly name: string;
        readonly computeResources: ResourceList;
      }[];
    }[];
  };
}
