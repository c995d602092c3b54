import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { type FileTree, type TreeFile, treeProblem, withFiles } from '../plan/file-tree.ts';
import { matchesGlob } from '../plan/glob.ts';
import type { PayloadMetadata } from './payload-artifact.ts';

/** What one component contributes. */
export interface ComponentPayload {
  readonly metadata: PayloadMetadata;
  readonly files: FileTree;
}

/**
 * The kodata folder: the operator's own files lowest; each component's replace what is in its folder, but
 * for what its rule keeps. The operator takes the highest version folder that it finds, so that none but
 * this build's stays.
 */
export function assembleKodata(payloads: readonly ComponentPayload[]): Outcome<FileTree> {
  const own = payloads.filter(({ metadata }) => metadata.replaces === null);
  const others = payloads.filter(({ metadata }) => metadata.replaces !== null);
  const failures = [
    ...clashes(own),
    ...clashes(others),
    ...misfits(own),
    ...misfits(others),
    ...rivals(others),
    ...whiteouts(payloads),
  ];
  const lowest = withFiles(new Map(), ...own.map(({ files }) => files));
  const base = others.reduce((tree, { metadata }) => withoutReplaced(tree, metadata), lowest);
  const kodata = withFiles(base, ...others.map(({ files }) => files));
  const [first, ...rest] = failures;
  return first === undefined ? ok(kodata) : failed(first, ...rest);
}

function withoutReplaced(tree: FileTree, metadata: PayloadMetadata): FileTree {
  const result = new Map<string, TreeFile>();
  for (const [path, file] of tree) {
    const place = placeOf(path, metadata);
    if (place !== undefined) result.set(place, file);
  }
  return result;
}

/** Where a file that lies below a payload goes: a kept one of another version moves to this build's. */
function placeOf(path: string, { replaces, version, keep }: PayloadMetadata) {
  if (!path.startsWith(`${replaces}/`)) return path;
  if (!keep.some((glob) => matchesGlob(path, glob))) return undefined;
  const [folder, ...rest] = path.slice(`${replaces}/`.length).split('/');
  const isOtherVersion = rest.length > 0 && isVersion(folder as string);
  return version !== null && isOtherVersion ? [replaces, version, ...rest].join('/') : path;
}

/** Whether the operator would take a folder for a version: Go's semver with or without its `v`. */
function isVersion(name: string): boolean {
  return /^v?(0|[1-9]\d*)(\.(0|[1-9]\d*)){0,2}$|^v?\d+\.\d+\.\d+[-+][-+.0-9A-Za-z]+$/.test(name);
}

/** Two components that write one file: whichever came last would hide the other's. */
function clashes(payloads: readonly ComponentPayload[]): Failure[] {
  const writers = new Map<string, string>();
  const failures: Failure[] = [];
  for (const { metadata, files } of payloads) {
    for (const path of files.keys()) {
      const other = writers.get(path);
      if (other === undefined) writers.set(path, metadata.component);
      else failures.push(clash(path, [other, metadata.component]));
    }
  }
  return failures;
}

function clash(path: string, components: readonly string[]): Failure {
  return bad(`${components.join(' and ')} both write ${path}`, { file: path, components });
}

/** A file of one component where another has a folder. */
function misfits(payloads: readonly ComponentPayload[]): Failure[] {
  const problem = treeProblem(new Map(payloads.flatMap(({ files }) => [...files])));
  return problem === undefined ? [] : [bad(`the files do not fit together: ${problem}`, {})];
}

/** Two components with a version folder each in one folder: the operator would take the higher alone. */
function rivals(payloads: readonly ComponentPayload[]): Failure[] {
  const versions = new Map<string, PayloadMetadata>();
  const failures: Failure[] = [];
  for (const { metadata } of payloads) {
    const { replaces, version, component } = metadata;
    if (replaces === null || version === null) continue;
    const other = versions.get(replaces);
    versions.set(replaces, metadata);
    if (other === undefined || other.version === version) continue;
    const components = [other.component, component];
    const found = `${other.version} and ${version}`;
    failures.push(
      bad(`${components.join(' and ')} make two version folders in ${replaces}: ${found}`, {
        components,
      }),
    );
  }
  return failures;
}

/** In an image layer, such a name deletes files of the layers below. */
function whiteouts(payloads: readonly ComponentPayload[]): Failure[] {
  return payloads.flatMap(({ metadata: { component }, files }) =>
    [...files.keys()]
      .filter((path) => path.split('/').some((part) => part.startsWith('.wh.')))
      .map((path) =>
        bad(`${component} has a file whose name begins with .wh.: ${path}`, { component }),
      ),
  );
}

function bad(what: string, about: NonNullable<Failure['about']>): Failure {
  return {
    reason: 'bad-payload',
    detail: `The payload cannot be assembled: ${what}.`,
    hint: 'Look at `payload.into` and `payload.inputs` of the components in product.yaml, and at what the ref adds.',
    about,
  };
}
