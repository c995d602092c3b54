import type { Build } from '../builds/build.ts';
import type { Configuration } from '../config/config.ts';
import type { CompileCache } from '../plan/compile-cache.ts';
import type { Digest, Key, Tag } from '../plan/names.ts';
import type { Plan, StepKind, StepOf, StepOutput, StepOutputs } from '../plan/plan.ts';

/** A manifest as the registry keeps it, byte for byte. */
export interface StoredManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/**
 * The registry as steps see it. References are `host/path:tag` or `host/path@sha256:…`. Every method
 * throws FailureError (`registry-unavailable`) where the registry does not answer.
 */
export interface Registry {
  /** The manifest of a reference, or undefined where there is none. */
  manifest(reference: string): Promise<StoredManifest | undefined>;
  /** Copies an image (all its blobs; none move within a repository) and returns its digest. */
  copy(from: string, to: string): Promise<Digest>;
  /** Pushes the only image of an OCI layout folder. Blobs that the repository has may be missing from the folder. */
  pushLayout(folder: string, to: string): Promise<Digest>;
  /** Pulls an image into a new OCI layout folder. */
  pullLayout(from: string, folder: string): Promise<Digest>;
  /** One blob (an image's config, a layer) of a repository, at most `limit` bytes. */
  blob(repository: string, digest: Digest, limit: number): Promise<Buffer>;
  /** Whether `reference` can be pulled without a credential, and with the remote's pull secret (null: none configured). */
  pullable(reference: string): Promise<{ anonymously: boolean; withSecret: boolean | null }>;
}

/** One container build: the only way in which code of a ref ever runs. */
export interface ContainerBuild {
  /** Folder with everything that COPY may see. */
  readonly context: string;
  /** Dockerfile text. */
  readonly dockerfile: string;
  /** FROM text → reference by digest. */
  readonly bases: Readonly<Record<string, string>>;
  readonly args: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly network: boolean;
  /** Folders that its RUNs share with those of other builds; default: none. They change no byte of the image. */
  readonly cache?: CompileCache | undefined;
  /** OCI layout folder to make; the image is its only one. */
  readonly output: string;
}

/** Builds container images in the sandbox (docs/decisions/, "The sandbox of PR code"). */
export interface Builder {
  /** Throws FailureError `image-build-failed` with the last lines of output where the build fails. */
  build(build: ContainerBuild, log: (text: string) => void, signal: AbortSignal): Promise<void>;
  /** What shapes bytes besides the inputs: `buildah 1.28.2`, … part of image keys. */
  readonly tools: string;
}

/** Runs one trusted program in an empty network namespace with a bare environment (kustomize). */
export interface Confined {
  run(
    program: string,
    args: readonly string[],
    options: { cwd: string; signal: AbortSignal },
  ): Promise<{ stdout: Buffer; stderr: string; exitCode: number }>;
}

/**
 * Runs `work` while nobody else on this machine makes what `reference` stands for; calls `waiting` first where it has to
 * wait for that.
 */
export type MakeAlone = <Value>(
  reference: string,
  waiting: () => void,
  work: () => Promise<Value>,
) => Promise<Value>;
/**
 * The answer to a question that has one answer for ever, such as what a digest stands for: known on this machine, or found out. What the question names must
 * be all that the answer depends on.
 */
export type Remember = (
  question: string,
  findOut: () => Promise<Buffer | undefined>,
) => Promise<Buffer | undefined>;

/** Targets of a product's own Makefile. */
export interface MakeRun {
  /** Folder of the Makefile. */
  readonly folder: string;
  readonly targets: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
  /** Git URL → repository that takes its place, as a path below those that the build exports. */
  readonly repositories: Readonly<Record<string, string>>;
  readonly tag: Tag;
  /** Name of the remote whose authfile the targets see. */
  readonly remote: string;
}

/** Runs code of refs with all rights of this process (docs/decisions/, "A product's own Makefile"): nothing but the strategy `makefile` may. */
export interface Make {
  /** Runs the targets one after the other. Throws FailureError `target-failed` with the one that failed and its last lines. */
  run(run: MakeRun, to: Pick<StepContext, 'log' | 'progress'>, signal: AbortSignal): Promise<void>;
}

/** What a step has at hand. */
export interface StepContext {
  readonly plan: Plan;
  readonly outputs: StepOutputs;
  readonly configuration: Configuration;
  readonly registry: Registry;
  readonly builder: Builder;
  readonly confined: Confined;
  readonly makeAlone: MakeAlone;
  readonly remember: Remember;
  readonly make: Make;
  /** A folder of its own, removed afterwards. */
  readonly workdir: string;
  /** True: hits are not used, but compared. */
  readonly rebuild: boolean;
  readonly signal: AbortSignal;
  /** For `report` alone: the build with the verdict that it comes to, and the folder of its logs (`<step with / as ~>.log`). */
  readonly record?: { readonly build: Build; readonly logs: string };
  /** A line for the log. */
  log(text: string): void;
  /** A line for people who watch. */
  progress(text: string): void;
}

/** A step's program: throws FailureError where it fails. */
export type StepProgram<Kind extends StepKind> = (
  step: StepOf<Kind>,
  context: StepContext,
) => Promise<StepOutput>;

/** `REMOTE/tributary`: the repository of everything that is not an image. */
export function artifactRepository(plan: { readonly lock: Plan['lock'] }): string {
  return `${plan.lock.remote.push}/tributary`;
}

/** The tag under which a key is kept. */
export function keyTag(key: Key): string {
  return `key-${key}`;
}
