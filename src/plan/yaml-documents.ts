import {
  Composer,
  type CST,
  Document,
  type DocumentOptions,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type ParseOptions,
  Parser,
  type SchemaOptions,
  type YAMLMap,
  type YAMLParseError,
} from 'yaml';
import { failed, ok, type Result } from '../builds/result.ts';

/** A problem at a line and column (both from 1) of a YAML file. */
export interface YamlProblem {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

export interface YamlOptions
  extends Pick<ParseOptions, 'keepSourceTokens' | 'strict'>,
    Pick<DocumentOptions, 'version'>,
    Pick<SchemaOptions, 'customTags' | 'merge' | 'schema'> {
  /** Bytes of the longest text that is read; default: 1 MiB. */
  readonly longest?: number;
  /** Whether a key may stand twice in a mapping (where what is read goes to a program that decides). */
  readonly duplicates?: 'refused' | 'left alone';
}

/** Of a manifest or CSV: far more than OLM takes of a whole bundle (1 MiB, compressed). */
export const longestManifest = 8 * 2 ** 20;

export interface YamlDocuments {
  readonly documents: readonly Document[];
  readonly lines: LineCounter;
  /** The same text as another version of YAML has it. */
  readonly as: (version: YamlOptions['version']) => Result<readonly Document[], YamlProblem>;
}

/**
 * The documents of a YAML stream that a stranger may have written, or the first thing that is wrong with it. The
 * time that it takes is proportional to the text's length, and whatever walks over the documents afterwards
 * (toJS with its limit on aliases, toString) is safe from deep nesting and from aliases by the thousand.
 */
export function parseDocuments(
  text: string,
  { longest = 2 ** 20, duplicates = 'refused', ...options }: YamlOptions = {},
): Result<YamlDocuments, YamlProblem> {
  const lines = new LineCounter();
  const at = (offset: number, what: string) => {
    const { line, col } = lines.linePos(offset);
    return failed({ line: line || 1, column: col || 1, text: what });
  };
  if (text.length > longest) return at(0, `it is larger than ${Math.floor(longest / 2 ** 10)} KiB`);
  const alien = aliens.exec(text);
  if (alien !== null) {
    const before = text.slice(0, alien.index).split('\n');
    const place = { line: before.length, column: (before.at(-1) ?? '').length + 1 };
    return failed({ ...place, text: alienText(alien[0]) });
  }
  const tokens = unlessTooDeep(() => [...new Parser(lines.addNewLine).parse(text)]);
  if (tokens === undefined) return at(0, tooDeep);
  const as = (version: YamlOptions['version']) => {
    const documents = unlessTooDeep(() =>
      compose(tokens, version ? { ...options, version } : options),
    );
    if (documents === undefined) return at(0, tooDeep);
    for (const document of documents) {
      const [error] = document.errors;
      if (error !== undefined) return at(error.pos[0], textOf(error));
      const problem = problemOf(document, duplicates === 'refused');
      if (problem !== undefined) return at(offsetOf(problem.node), problem.text);
    }
    return ok(documents);
  };
  const documents = as(options.version);
  return documents.ok ? ok({ documents: documents.value, lines, as }) : documents;
}

export interface YamlDocument {
  readonly document: Document;
  readonly lines: LineCounter;
  /** The same text as another version of YAML has it. */
  readonly as: (version: YamlOptions['version']) => Result<Document, YamlProblem>;
}

/** The only document of a text (an empty text has an empty one), as {@link parseDocuments} reads it. */
export function parseOnly(
  text: string,
  options: YamlOptions = {},
): Result<YamlDocument, YamlProblem> {
  const parsed = parseDocuments(text, options);
  if (!parsed.ok) return parsed;
  const { documents, lines, as } = parsed.value;
  const only = onlyOf(documents, lines);
  if (!only.ok) return only;
  const again: YamlDocument['as'] = (version) => {
    const others = as(version);
    return others.ok ? onlyOf(others.value, lines) : others;
  };
  return ok({ document: only.value, lines, as: again });
}

function onlyOf(
  [document = new Document(), another]: readonly Document[],
  lines: LineCounter,
): Result<Document, YamlProblem> {
  if (another === undefined) return ok(document);
  const { line, col } = lines.linePos(another.range?.[0] ?? 0);
  return failed({ line: line || 1, column: col || 1, text: 'it has more than one document' });
}

/** What a document says; a problem where aliases would blow a small text up. */
export function dataOf(document: Document): Result<unknown, YamlProblem> {
  try {
    return ok(document.toJS({ maxAliasCount: 100 }));
  } catch (error) {
    // Too many aliases, one before its anchor, a merge key of no mapping: the library throws plain errors.
    if (!(error instanceof Error)) throw error;
    const text = error.message.startsWith('Excessive alias')
      ? 'it has too many aliases'
      : error.message.replace(/[.:]$/, '');
    return failed({ line: 1, column: 1, text });
  }
}

// Characters that YAML does not allow, and what a decoder puts where bytes are no UTF-8.
const aliens = /(?![\t\n\r\u0085])\p{Cc}|[\ufffd\ufffe\uffff]/u;

function alienText(character: string): string {
  if (character === '\ufffd') return 'it is not UTF-8';
  const code = character.charCodeAt(0).toString(16).padStart(4, '0');
  return `it has the character U+${code.toUpperCase()}, which YAML does not allow`;
}

function compose(tokens: readonly CST.Token[], options: YamlOptions): readonly Document[] {
  // The library compares each key with all before it, and quotes the text in each error: both quadratic.
  const fixed = { uniqueKeys: false, prettyErrors: false, logLevel: 'silent' } as const;
  return [...new Composer({ ...options, ...fixed }).compose(tokens)] as readonly Document[];
}

/** The parser is recursive: a text of a hundred thousand brackets exhausts the stack. */
function unlessTooDeep<Value>(work: () => Value): Value | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Levels of the deepest schema in a CRD stay far below. */
const deepest = 200;
const mostAliases = 1000;
const tooDeep = `it is nested more than ${deepest} levels deep`;

/** The library tells an exhausted stack as an error of the text. */
function textOf({ code, message }: YAMLParseError): string {
  return code === 'RESOURCE_EXHAUSTION' ? tooDeep : message.replace(/[.:]$/, '');
}

/** Looks at all nodes without recursion, which a deep document would exhaust. */
function problemOf({ contents }: Document, unique: boolean): Found | undefined {
  const pending: Place[] = [{ node: contents, depth: 0 }];
  let aliases = 0;
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { node, depth } = place;
    if (isAlias(node) && ++aliases > mostAliases)
      return { node, text: `it has more than ${mostAliases} aliases` };
    if (!isCollection(node)) continue;
    if (depth > deepest) return { node, text: tooDeep };
    const twice = unique && isMap(node) ? duplicateOf(node) : undefined;
    if (twice !== undefined) return { node: twice, text: 'Map keys must be unique' };
    for (const child of node.items) addTo(pending, child, depth + 1);
  }
  return undefined;
}

interface Place {
  readonly node: unknown;
  readonly depth: number;
}

function addTo(pending: Place[], child: unknown, depth: number): void {
  const nodes = isPair(child) ? [child.key, child.value] : [child];
  // Most nodes are scalars, of which there is nothing to know.
  for (const node of nodes) if (!isScalar(node)) pending.push({ node, depth });
}

interface Found {
  readonly node: unknown;
  readonly text: string;
}

function duplicateOf(map: YAMLMap): unknown {
  const seen = new Set<unknown>();
  return map.items.find(({ key }) => {
    if (!isScalar(key)) return false;
    const before = seen.has(key.value);
    seen.add(key.value);
    return before;
  })?.key;
}

function offsetOf(node: unknown): number {
  return isNode(node) ? (node.range?.[0] ?? 0) : 0;
}
