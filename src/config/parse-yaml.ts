import { isMap, isPair, isScalar, type Node } from 'yaml';
import { dataOf, parseOnly, type YamlProblem } from '../plan/yaml-documents.ts';

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
  const parsed = parseOnly(text);
  if (!parsed.ok) return { ok: false, problems: parsed.failures };
  const { document, lines } = parsed.value;
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
  const value = dataOf(document);
  if (!value.ok) return { ok: false, problems: value.failures };
  return { ok: true, value: value.value, placeOf, lineOf: (path) => placeOf(path).line };
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
