import type { Payload } from '../product/product.ts';
import { canonicalHash } from './canonical-hash.ts';
import type { CommitSha, ComponentName, Digest, Key, TreeSha } from './names.ts';

/**
 * Keys: everything that decides what a step makes, and nothing else. Whoever changes how a step works
 * in a way that changes its output raises the step's version here, so that old results are not found.
 */
const versions = { source: 1, payload: 1, image: 1, manifests: 1 } as const;

/** The source artifact of a component: its tree, and the commit that the artifact proves it by. */
export function sourceKey(parts: { readonly commit: CommitSha; readonly tree: TreeSha }): Key {
  return key('source', parts);
}

/** What decides a payload. Its version is not among it: the version comes from the key. */
export interface PayloadParts {
  readonly component: ComponentName;
  /** Tree of the files that it is rendered from. */
  readonly inputs: TreeSha;
  readonly rule: Payload;
  /** Version of the source, which begins the payload's version. */
  readonly sourceVersion: string;
  /** Go import path → reference that is put in. */
  readonly images: Readonly<Record<string, string>>;
  /** Digest of the image that a command runs in; null where none does. */
  readonly base: Digest | null;
  /** Tools that shape its bytes; null for what is only copied or substituted. */
  readonly tools: string | null;
}

/** The payload of a component. */
export function payloadKey(parts: PayloadParts): Key {
  return key('payload', parts);
}

/** What a payload calls itself: `<version of the source>-t<6 hex digits of its key>`. */
export function payloadVersion(sourceVersion: string, payload: Key): string {
  return `${sourceVersion}-t${payload.slice(0, 6)}`;
}

/** What decides an image. */
export interface ImageParts {
  /** Components it is built from → tree. */
  readonly sources: Readonly<Record<ComponentName, TreeSha>>;
  /** Tree of the context folder, its Dockerfile included. */
  readonly context: TreeSha;
  readonly dockerfile: string;
  /** Patch that the Dockerfile applies → SHA-256 of its content. */
  readonly patches: Readonly<Record<string, string>>;
  /** FROM text → digest. Where the image is fetched from does not matter. */
  readonly bases: Readonly<Record<string, Digest>>;
  /** The commit is among them where the Dockerfile declares it. */
  readonly args: Readonly<Record<string, string>>;
  readonly platform: string;
  readonly network: boolean;
  readonly tools: string;
}

/** An image of the product, without any payload. */
export function imageKey(parts: ImageParts): Key {
  return key('image', parts);
}

/** What decides the generated manifests of the operator. */
export interface ManifestsParts {
  readonly tree: TreeSha;
  readonly generator: unknown;
  readonly base: Digest;
  readonly tools: string;
}

/** The generated manifests of the operator. */
export function manifestsKey(parts: ManifestsParts): Key {
  return key('manifests', parts);
}

function key(step: keyof typeof versions, parts: object): Key {
  return canonicalHash({ step, version: versions[step], ...parts }) as Key;
}
