import { isMap, isPair, isScalar, LineCounter, type Node, parseDocument } from 'yaml';

/** A problem at a line (from 1) of a YAML file. */
export interface YamlProblem {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** A YAML file as data that still knows its lines, or what is wrong with its syntax. */
export type ParsedYaml =
  | {
      readonly ok: true;
      readonly value: unknown;
      lineOf(path: readonly PropertyKey[]): number;
      /** Line and column, both from 1. */
      placeOf(path: readonly PropertyKey[]): { readonly line: number; readonly column: number };
    }
  | { readonly ok: false; readonly problems: readonly [YamlProblem, ...YamlProblem[]] };

/** Parses one YAML 1.2 document. Duplicate keys are errors: the second would silently win. */
export function parseYaml(text: string): ParsedYaml {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    uniqueKeys: true,
  });
  const problems = document.errors.map((error) => ({
    line: lines.linePos(error.pos[0]).line,
    column: lines.linePos(error.pos[0]).col,
    text: error.message.replace(/\.$/, ''),
  }));
  if (problems.length > 0)
    return { ok: false, problems: problems as [YamlProblem, ...YamlProblem[]] };

  const placeOf = (path: readonly PropertyKey[]) => {
    let node = document.contents as Node | null;
    let offset = node?.range?.[0] ?? 0;
    for (const key of path) {
      const next = step(node, key);
      // A missing key is reported at what should have held it.
      if (next === undefined) break;
      offset = next.offset;
      node = next.node;
    }
    const { line, col } = lines.linePos(offset);
    return { line: line || 1, column: col || 1 };
  };
  const value = withFewAliases(() => document.toJS({ maxAliasCount: 100 }));
  if (!value.ok) return value;
  return { ok: true, value: value.value, placeOf, lineOf: (path) => placeOf(path).line };
}

/** The library throws where aliases would blow a small file up. */
function withFewAliases(
  read: () => unknown,
): { ok: true; value: unknown } | (ParsedYaml & { ok: false }) {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (!(error instanceof ReferenceError)) throw error;
    return { ok: false, problems: [{ line: 1, column: 1, text: 'it has too many aliases' }] };
  }
}

function step(
  node: Node | null,
  key: PropertyKey,
): { node: Node | null; offset: number } | undefined {
  if (isMap(node)) {
    const pair = node.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
    );
    if (pair === undefined || !isScalar(pair.key)) return undefined;
    return { node: pair.value as Node | null, offset: pair.key.range?.[0] ?? 0 };
  }
  if (node !== null && 'items' in node && Array.isArray(node.items)) {
    const item = node.items[Number(key)] as Node | undefined;
    return item === undefined ? undefined : { node: item, offset: item.range?.[0] ?? 0 };
  }
  return undefined;
}
