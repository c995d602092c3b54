import type { Payload, Product } from '../product/product.ts';
import type { Lock, PinnedSource } from './lock.ts';
import type { CommitSha, ComponentName, Digest, ImageName, Key, Tag, TreeSha } from './names.ts';

/** The code of a component (or of the productization repository) as it goes into the build. */
export interface Source {
  readonly from: PinnedSource;
  /** Whether the request named it. */
  readonly requested: boolean;
  /** The commit that the pinned source comes to: itself, the merge, or the last pick. */
  readonly commit: CommitSha;
  /** Tree of that commit. */
  readonly commitTree: TreeSha;
  /** Tree that is built: `commitTree`, with the patches that Tributary applies. */
  readonly tree: TreeSha;
  /** Key of the source artifact of `tree`. */
  readonly key: Key;
  /** Nearest semver tag of `commit` without its `v` (`0.68.0`), else `0.0.0`. */
  readonly version: string;
  /** Patches that the Dockerfile still has to apply: file name → key of nothing, content by name in the product tree. */
  readonly patchesLeft: readonly string[];
}

/** What became of one downstream patch. */
export interface PatchReport {
  readonly component: ComponentName;
  readonly patch: string;
  readonly outcome: 'applied' | 'contained' | 'bypassed';
  readonly by: 'tributary' | 'dockerfile';
}

interface StepBase {
  /** `<kind>` or `<kind>/<what>`: `image/openshift-pipelines-controller`, `payload/tektoncd/pipeline`. */
  readonly id: string;
  /** Ids of the steps whose outputs it reads. */
  readonly needs: readonly string[];
  /** Known beforehand, or null where it depends on the outputs of `needs`. */
  readonly key: Key | null;
  /** Steps of one group run one after the other, in one process, in the order of the plan. */
  readonly group: string;
  /** Rough seconds when nothing is reused: orders the critical path, shown as an estimate. */
  readonly weight: number;
}

export type Step =
  | (StepBase & {
      readonly kind: 'payload';
      readonly component: ComponentName;
      readonly rule: Payload;
      /** What `{version}` and the markers become. */
      readonly version: string;
      /** Go import path → image reference that replaces `ko://PATH`. */
      readonly images: Readonly<Record<string, string>>;
    })
  | (StepBase & {
      readonly kind: 'image';
      readonly image: ImageName;
      /** Base images by digest: FROM text → reference to pull, by digest. */
      readonly bases: Readonly<Record<string, string>>;
      /** All build arguments, those of the distgit layout included. */
      readonly args: Readonly<Record<string, string>>;
      readonly network: boolean;
      readonly platform: string;
      /** True: pushed under the tag too. False: an `operator-payload` step does that. */
      readonly final: boolean;
    })
  | (StepBase & {
      readonly kind: 'operator-payload';
      readonly image: ImageName;
      readonly kodata: string;
    })
  | (StepBase & { readonly kind: 'manifests'; readonly component: ComponentName })
  | (StepBase & { readonly kind: 'makefile' })
  | (StepBase & { readonly kind: 'bundle' })
  | (StepBase & { readonly kind: 'index' })
  | (StepBase & { readonly kind: 'verify' })
  | (StepBase & { readonly kind: 'report' });

export type StepKind = Step['kind'];
export type StepOf<Kind extends StepKind> = Extract<Step, { kind: Kind }>;

/** What will be done for a lock. Made by `prepare`, kept as an artifact, read by every step. */
export interface Plan {
  readonly version: 1;
  /** Our code and the tools that made it, as text: only the same ones may run it. */
  readonly madeBy: string;
  readonly tag: Tag;
  readonly lockDigest: Digest;
  readonly lock: Lock;
  /** product.yaml as parsed: a step needs no other file of the service. */
  readonly product: Product;
  /** `<base version>-t<hash>`, such as `1.7.0-t72a32c`: version of CSV, env VERSION. */
  readonly operatorVersion: string;
  readonly sources: Readonly<Record<ComponentName, Source>>;
  readonly productSource: Source;
  readonly patches: readonly PatchReport[];
  /** FROM text of Dockerfiles (and `image:` of renderers, the index base) → reference by digest. */
  readonly bases: Readonly<Record<string, string>>;
  /** The updated upstream_sources.yaml, whole. */
  readonly upstreamSources: string;
  readonly steps: readonly Step[];
}

/** One place that was checked by `verify`. */
export interface Inclusion {
  readonly component: ComponentName;
  /** `image/<name>`, `payload`, `manifests` or `makefile`. */
  readonly place: string;
  /** The combined commit that is in there. */
  readonly commit: CommitSha;
  readonly tree: TreeSha;
  readonly requested: boolean;
  /**
   * `included`: proven; `not-from-your-ref`: the place carries the component another way; `source-not-provable`:
   * the product's Makefile was given the source, and what it made of it is believed.
   */
  readonly outcome: 'included' | 'not-from-your-ref' | 'source-not-provable';
  /** How it was proven: a sentence. */
  readonly proof: string;
}

/** An image of the bundle that could not be pulled. */
export interface Unpullable {
  readonly image: string;
  readonly how: 'anonymously' | 'with the pull secret' | 'at all';
  readonly remedy: string;
}

interface OutputBase {
  readonly key: Key;
  /** True: found by its key. */
  readonly reused: boolean;
  /** Of the image's manifest, or of the artifact's. */
  readonly digest: Digest;
}

/** What a step made; small, because the next steps get it as text. */
export type StepOutput =
  | (OutputBase & { readonly kind: 'payload' | 'manifests' })
  | (OutputBase & {
      readonly kind: 'image' | 'operator-payload' | 'bundle' | 'index';
      /** Reference by digest, as a cluster pulls it. */
      readonly image: string;
    })
  | {
      readonly kind: 'makefile';
      /** Of the bundle. */
      readonly digest: Digest;
      /** The bundle by digest, as a cluster pulls it. */
      readonly image: string;
      /** The images that it pushed under the tag, of those that product.yaml describes. */
      readonly images: Readonly<Record<ImageName, Digest>>;
    }
  | {
      readonly kind: 'verify';
      readonly inclusion: readonly Inclusion[];
      readonly unpullable: readonly Unpullable[];
    }
  | { readonly kind: 'report'; readonly digest: Digest };

/** Outputs by step id. */
export type StepOutputs = Readonly<Record<string, StepOutput>>;

/** The bundle of a build, made by whichever step does that; undefined before. */
export function bundleOf(
  outputs: StepOutputs,
): { readonly digest: Digest; readonly image: string } | undefined {
  const output = outputs['bundle'] ?? outputs['makefile'];
  return output?.kind === 'bundle' || output?.kind === 'makefile' ? output : undefined;
}
