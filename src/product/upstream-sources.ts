import { type Document, isMap, isScalar, isSeq, type YAMLMap } from 'yaml';
import { type Failure, type Outcome, type PartlyRead, whole } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';
import { type CommitSha, type ComponentName, parseCommitSha } from '../plan/names.ts';
import { dataOf, parseOnly, type YamlDocument, type YamlProblem } from '../plan/yaml-documents.ts';
import { componentsAt, componentsOf } from '../request/match-component.ts';
import { parseRepository } from '../request/ref.ts';
import type { Repository } from '../request/repository.ts';
import type { Product } from './product.ts';

/** The file of a productization repository that pins upstream code; its path at the root. */
export const upstreamSourcesPath = 'upstream_sources.yaml';

/** One entry of it. The format is that of oVirt's stdci_tools/usrc.py. */
export interface UpstreamSource {
  /** Place in the list. */
  readonly index: number;
  /** From 1. */
  readonly line: number;
  /** As written. */
  readonly url: string;
  readonly repository: Repository;
  /** A branch or, where the file follows tags, a tag or full ref. */
  readonly branch: string;
  readonly commit: CommitSha;
}

/** The service itself reads this file, of any ref: a real one has a few KiB. */
const longest = 256 * 1024;

/** What the productization repository pins, by component; `where` names it (a URL and a commit). */
export function readPinned(
  files: FileTree,
  product: Product,
  where: string,
): PartlyRead<Readonly<Record<ComponentName, UpstreamSource>>> {
  const text = files.get(upstreamSourcesPath)?.content.toString();
  if (text === undefined) {
    const missing: Failure = {
      reason: 'bad-product',
      detail: `${where} has no ${upstreamSourcesPath}.`,
      hint: 'Check `repository` and the branch of the release in product.yaml.',
      about: { file: upstreamSourcesPath },
    };
    return { value: {}, problems: [missing] };
  }
  const { entries, problems, broken } = readEntries(text);
  const sources = findSources(entries, product, broken);
  return { value: sources.value, problems: [...places(problems), ...sources.problems] };
}

/** Reads all entries; what else an entry says (`automerge`, …) is for other tools. */
export function parseUpstreamSources(text: string): Outcome<readonly UpstreamSource[]> {
  const parsed = parseSourcesFile(text);
  return parsed.ok ? ok(parsed.value.entries) : parsed;
}

/** All entries, and the file that they are in. */
export function parseSourcesFile(
  text: string,
): Outcome<{ readonly entries: readonly UpstreamSource[]; readonly file: YamlDocument }> {
  const { entries, problems, file } = readEntries(text);
  const [first, ...rest] = places(problems);
  if (first !== undefined) return failed(first, ...rest);
  if (file === undefined) throw new Error('a file that cannot be read has no problem');
  return ok({ entries, file });
}

interface ReadEntries {
  /** Undefined: it cannot be read. */
  readonly file?: YamlDocument;
  readonly entries: readonly UpstreamSource[];
  readonly problems: readonly Problem[];
  /** Repositories of entries that are wrong otherwise; undefined: the whole file, or an entry without one. */
  readonly broken: readonly (Repository | undefined)[];
}

function readEntries(text: string): ReadEntries {
  const parsed = parseOnly(text, { merge: true, keepSourceTokens: true, longest });
  if (!parsed.ok) return unreadable(parsed.failures);
  const file = parsed.value;
  const { document, lines } = file;
  const lineOf = (offset: number | undefined) => lines.linePos(offset ?? 0).line || 1;
  const value = dataOf(document);
  if (!value.ok) return unreadable(value.failures);
  const list = isMap(document.contents) ? document.contents.get('git') : undefined;
  const empty = document.contents === null || (isMap(document.contents) && isNothing(list));
  if (empty) return { file, entries: [], problems: [], broken: [] };
  if (!isSeq(list)) return unreadable([{ line: 1, text: '`git` must be a list of entries' }]);

  const problems: Problem[] = [];
  const broken: (Repository | undefined)[] = [];
  const entries = list.items.flatMap((item, index) => {
    const line = lineOf((item as { range?: readonly number[] | null }).range?.[0]);
    const node = isMap(item) ? item : undefined;
    if (node === undefined)
      problems.push({ line, text: 'an entry must have url, branch and commit' });
    const entry = node && readEntry(node, document, { index, line }, problems);
    if (entry !== undefined) return [entry];
    const url = node && parseRepository(textOf(node, 'url', document) ?? '');
    broken.push(url?.ok ? url.value : undefined);
    return [];
  });
  return { file, entries, problems, broken };
}

function unreadable(problems: readonly Problem[]): ReadEntries {
  return { entries: [], problems, broken: [undefined] };
}

/** Every component's entry; it is a failure where one has none, or more than one. */
export function sourcesOfComponents(
  sources: readonly UpstreamSource[],
  product: Product,
): Outcome<Readonly<Record<ComponentName, UpstreamSource>>> {
  return whole(findSources(sources, product, []));
}

/** The same of a file that may be wrong: of what is `broken` it is not known whether it is the entry that seems to be missing. */
function findSources(
  sources: readonly UpstreamSource[],
  product: Product,
  broken: readonly (Repository | undefined)[],
): PartlyRead<Readonly<Record<ComponentName, UpstreamSource>>> {
  const found: [ComponentName, UpstreamSource][] = [];
  const problems: Problem[] = [];
  for (const component of Object.keys(product.components) as ComponentName[]) {
    const [first, ...others] = entriesOf(component, sources, product);
    if (first !== undefined) found.push([component, first]);
    else if (!mayBeOf(component, broken, product))
      problems.push({ line: 1, text: `no entry is of ${component}` });
    problems.push(
      ...others.map(({ line }) => ({
        line,
        text: `${component} has a second entry (the first: line ${first?.line})`,
      })),
    );
  }
  const value = Object.fromEntries(found) as Record<ComponentName, UpstreamSource>;
  return { value, problems: places(problems) };
}

/**
 * The entries of an updated file, each under the component that has its place in `pinned`: what they
 * say now need not tell whose they are.
 */
export function sourcesAtPlaces(
  updated: string,
  pinned: Readonly<Record<ComponentName, UpstreamSource>>,
): Outcome<Readonly<Record<ComponentName, UpstreamSource>>> {
  const entries = parseUpstreamSources(updated);
  if (!entries.ok) return entries;
  const found = (Object.keys(pinned) as ComponentName[]).map((component) => {
    const entry = entries.value.find(({ index }) => index === pinned[component]?.index);
    if (entry === undefined) throw new Error(`the update lost the entry of ${component}`);
    return [component, entry] as const;
  });
  return ok(Object.fromEntries(found) as Record<ComponentName, UpstreamSource>);
}

function mayBeOf(
  component: ComponentName,
  repositories: readonly (Repository | undefined)[],
  product: Product,
): boolean {
  return repositories.some(
    (repository) =>
      repository === undefined ||
      [...componentsOf(repository, product), ...componentsAt(repository, product)].includes(
        component,
      ),
  );
}

/** Entries of the component's own repository, else those of a fork of it. */
function entriesOf(
  component: ComponentName,
  sources: readonly UpstreamSource[],
  product: Product,
): UpstreamSource[] {
  const own = sources.filter(({ repository }) =>
    componentsOf(repository, product).includes(component),
  );
  if (own.length > 0) return own;
  return sources.filter(({ repository }) => {
    const [only, ...others] = componentsAt(repository, product);
    return only === component && others.length === 0;
  });
}

type Problem = Pick<YamlProblem, 'line' | 'text'>;

function readEntry(
  entry: YAMLMap,
  document: Document,
  { index, line }: { readonly index: number; readonly line: number },
  problems: Problem[],
): UpstreamSource | undefined {
  const before = problems.length;
  const url = textOf(entry, 'url', document);
  const branch = textOf(entry, 'branch', document);
  const commitText = textOf(entry, 'commit', document);
  for (const [key, value] of Object.entries({ url, branch, commit: commitText })) {
    if (value === undefined || value === '')
      problems.push({ line, text: `\`${key}\` must be a text` });
  }
  const repository = url === undefined ? undefined : parseRepository(url);
  const commit = parseCommitSha(commitText ?? '');
  if (repository?.ok === false)
    problems.push({ line, text: repository.failures[0].detail.replace(/\.$/, '') });
  if (commitText !== undefined && commit === undefined) {
    problems.push({ line, text: '`commit` must be a full SHA of 40 lower-case hex digits' });
  }
  if (problems.length > before || !repository?.ok) return undefined;
  return {
    index,
    line,
    url: url ?? '',
    repository: repository.value,
    branch: branch ?? '',
    commit: commit as CommitSha,
  };
}

/**
 * A scalar as it was written: `branch: 1.10` and `commit: 123e456…` without quotes are numbers to YAML,
 * and were meant as text.
 */
function textOf(entry: YAMLMap, key: string, document: Document): string | undefined {
  const node: unknown = entry.get(key, true);
  if (isScalar(node)) {
    if (typeof node.value === 'string') return node.value;
    return typeof node.value === 'number' ? node.source : undefined;
  }
  // An alias, or a value that a merge key brings.
  const value: unknown = entry.toJS(document)[key];
  return typeof value === 'string' ? value : undefined;
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || (isScalar(value) && value.value === null);
}

function places(problems: readonly Problem[]): Failure[] {
  return problems.map(
    ({ line, text }): Failure => ({
      reason: 'bad-product',
      detail: `${upstreamSourcesPath}:${line}: ${text}.`,
      hint: `Correct it in the productization repository; an entry is {url, branch, commit}.`,
      about: { file: upstreamSourcesPath, line },
    }),
  );
}
