import { isDeepStrictEqual } from 'node:util';
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  parse,
  type Scalar,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';
import type { Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { CommitSha, ComponentName } from '../plan/names.ts';
import { dataOf, parseOnly, type YamlDocument } from '../plan/yaml-documents.ts';
import { invisible } from '../request/quote.ts';
import type { Product } from './product.ts';
import { parseSourcesFile, sourcesOfComponents, upstreamSourcesPath } from './upstream-sources.ts';

/** What the entry of a component is to say. */
export interface SourceChange {
  readonly component: ComponentName;
  readonly url: string;
  /** A branch, or a full ref such as `refs/pull/4638/head`. */
  readonly branch: string;
  readonly commit: CommitSha;
  /** One line above the entry: which pull request, merged into which base. */
  readonly comment?: string;
}

/**
 * The file with the smallest change: only the scalars that differ, in the quotes they had, and comment
 * lines. Everything else stays, byte for byte. What was made is read again, and must say what was asked
 * and nothing else.
 */
export function updateUpstreamSources(
  text: string,
  product: Product,
  changes: readonly SourceChange[],
): Outcome<string> {
  const parsed = parseSourcesFile(text);
  if (!parsed.ok) return parsed;
  const { file } = parsed.value;
  const entries = sourcesOfComponents(parsed.value.entries, product);
  if (!entries.ok) return entries;
  const splices: Splice[] = [];
  for (const change of changes) {
    const entry = entries.value[change.component];
    if (entry === undefined) throw new Error(`${change.component} is no component of the product`);
    const found = spliceEntry(text, file.document, entry.index, change);
    if (found === undefined) return failed(unwritable(entry.line, change.component));
    splices.push(...found);
  }
  const updated = applySplices(text, splices);
  const wanted = changes.map((change) => ({
    change,
    index: entries.value[change.component]?.index ?? -1,
  }));
  const broken =
    wanted.find(({ index }) => index < 0) ??
    (saysOnly(file, updated, wanted) ? undefined : wanted[0]);
  if (broken === undefined) return ok(updated);
  const line = entries.value[broken.change.component]?.line ?? 1;
  return failed(unwritable(line, broken.change.component));
}

/** Text that takes the place of `text.slice(start, end)`. */
interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

function applySplices(text: string, splices: readonly Splice[]): string {
  const fromTheEnd = [...splices].sort((a, b) => b.start - a.start || b.end - a.end);
  return fromTheEnd.reduce(
    (done, { start, end, text: inner }) => done.slice(0, start) + inner + done.slice(end),
    text,
  );
}

function spliceEntry(
  text: string,
  document: Document,
  index: number,
  change: SourceChange,
): Splice[] | undefined {
  const list = document.get('git');
  const entry = isSeq(list) ? list.items[index] : undefined;
  if (!isSeq(list) || !isMap(entry)) return undefined;
  const splices = (['url', 'branch', 'commit'] as const).map((key) =>
    spliceScalar(entry.get(key, true), change[key]),
  );
  if (splices.includes('unwritable')) return undefined;
  const changed = splices.filter((splice) => typeof splice === 'object');
  const { comment } = change;
  if (comment === undefined) return changed;
  return [...changed, commentAbove(text, list, entry, index, comment)];
}

function spliceScalar(node: unknown, value: string): Splice | 'same' | 'unwritable' {
  if (isAlias(node)) return spliceAt(node.range, renderScalar(value, 'PLAIN'));
  if (!isScalar(node)) return 'unwritable';
  if (node.value === value) return 'same';
  const isBlock = node.type === 'BLOCK_FOLDED' || node.type === 'BLOCK_LITERAL';
  return isBlock ? 'unwritable' : spliceAt(node.range, renderScalar(value, node.type));
}

function spliceAt(range: Scalar['range'], text: string): Splice | 'unwritable' {
  return range ? { start: range[0], end: range[1], text } : 'unwritable';
}

function renderScalar(value: string, type: Scalar['type']): string {
  if (type === 'QUOTE_DOUBLE') return JSON.stringify(value);
  if (type !== 'QUOTE_SINGLE' && isPlain(value)) return value;
  return `'${value.replaceAll("'", "''")}'`;
}

/** Whether every reader of YAML 1.1 or 1.2 takes it for a text without quotes, in a flow collection too. */
function isPlain(value: string): boolean {
  if (!/^[A-Za-z0-9_./][A-Za-z0-9_./@%+:=~-]*$/.test(value) || value.endsWith(':')) return false;
  // What begins with a letter is nothing else, but for words: of five letters at most. Nor are digits with other letters
  // than numbers have, in any base: of most commits, nobody needs to be asked.
  if (/^[A-Za-z].{5}|^[0-9a-f]*[acdf][0-9a-f]*$/.test(value)) return true;
  return (['1.1', '1.2'] as const).every((version) => parse(value, { version }) === value);
}

/** A line above the one on which the entry begins (at its `-`, in a block). */
function commentAbove(
  text: string,
  list: YAMLSeq,
  entry: YAMLMap,
  index: number,
  comment: string,
): Splice {
  const token = list.srcToken;
  const dash =
    token?.type === 'block-seq'
      ? token.items[index]?.start.find(({ type }) => type === 'seq-item-ind')
      : undefined;
  const offset = dash !== undefined && 'offset' in dash ? dash.offset : (entry.range?.[0] ?? 0);
  const start = text.lastIndexOf('\n', offset - 1) + 1;
  const indent = /^[\ufeff ]*/.exec(text.slice(start))?.[0].replace('\ufeff', '') ?? '';
  const end = text.includes('\r\n') ? '\r\n' : '\n';
  const line = comment.replace(/\s+/gu, ' ').replace(invisible, '').trim();
  return { start, end: start, text: `${indent}# ${line}${end}` };
}

/** Whether `after` is `before` with the wanted values put in, and nothing else, read as YAML 1.2 and 1.1. */
function saysOnly(
  before: YamlDocument,
  after: string,
  wanted: readonly { readonly change: SourceChange; readonly index: number }[],
): boolean {
  const again = parseOnly(after, { merge: true });
  if (!again.ok) return false;
  return (['1.2', '1.1'] as const).every((version) => {
    const expected = sourcesIn(before, version);
    if (expected === undefined) return false;
    for (const { change, index } of wanted) {
      const { url, branch, commit } = change;
      expected.git[index] = { ...expected.git[index], url, branch, commit };
    }
    return isDeepStrictEqual(sourcesIn(again.value, version), expected);
  });
}

function sourcesIn(
  file: YamlDocument,
  version: '1.2' | '1.1',
): { git: Record<string, unknown>[] } | undefined {
  const read = version === '1.2' ? ok(file.document) : file.as(version);
  const value = read.ok ? dataOf(read.value) : undefined;
  return value?.ok ? (value.value as { git: Record<string, unknown>[] }) : undefined;
}

function unwritable(line: number, component: ComponentName) {
  return {
    reason: 'bad-product',
    detail: `${upstreamSourcesPath}:${line}: the entry of ${component} cannot be changed without changing something else.`,
    hint: 'Write url, branch and commit of this entry out, as plain or quoted texts without anchors or merge keys.',
    about: { file: upstreamSourcesPath, line },
  } as const;
}
