/** Strings that were checked once, at the border, by the parser of the same name. */
declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** A full, lower-case, 40-digit git object name of a commit. */
export type CommitSha = Branded<'CommitSha'>;
/** A full, lower-case, 40-digit git object name of a tree. */
export type TreeSha = Branded<'TreeSha'>;
/** `sha256:` and 64 hex digits. */
export type Digest = Branded<'Digest'>;
/** 64 hex digits: SHA-256 of everything that decides a step's output. */
export type Key = Branded<'Key'>;
/** `<name>-<first hex digits of the lock's SHA-256>`. */
export type Tag = Branded<'Tag'>;
/** `owner/repo`, as in upstream_sources.yaml. */
export type ComponentName = Branded<'ComponentName'>;
/** The name of an image within the remote, such as `openshift-pipelines-controller`. */
export type ImageName = Branded<'ImageName'>;

/** The value as a {@link CommitSha}, or undefined where it is not 40 hex digits. */
export function parseCommitSha(value: string): CommitSha | undefined {
  return /^[0-9a-f]{40}$/.test(value) ? (value as CommitSha) : undefined;
}

/** The value as a {@link TreeSha}, or undefined where it is not 40 hex digits. */
export function parseTreeSha(value: string): TreeSha | undefined {
  return /^[0-9a-f]{40}$/.test(value) ? (value as TreeSha) : undefined;
}

/** The value as a {@link Digest}, or undefined where it is not `sha256:` and 64 hex digits. */
export function parseDigest(value: string): Digest | undefined {
  return /^sha256:[0-9a-f]{64}$/.test(value) ? (value as Digest) : undefined;
}

/** The value as a {@link Tag}: an OCI tag that begins with a DNS-1123 name; else undefined. */
export function parseTag(value: string): Tag | undefined {
  return /^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?-[0-9a-f]{6,64}$/.test(value)
    ? (value as Tag)
    : undefined;
}

/** The value as a {@link ComponentName}: two path segments; else undefined. */
export function parseComponentName(value: string): ComponentName | undefined {
  return /^[A-Za-z0-9][-A-Za-z0-9_.]{0,99}\/[A-Za-z0-9_][-A-Za-z0-9_.]{0,99}$/.test(value)
    ? (value as ComponentName)
    : undefined;
}

/** The value as an {@link ImageName}: one path segment of an OCI repository; else undefined. */
export function parseImageName(value: string): ImageName | undefined {
  return /^[a-z0-9]+([._-]+[a-z0-9]+)*$/.test(value) && value.length <= 128
    ? (value as ImageName)
    : undefined;
}
