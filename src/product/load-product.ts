import type { z } from 'zod';
import type { Failure, Outcome } from '../builds/failure.ts';
import { ok } from '../builds/result.ts';
import { describeIssues } from '../config/describe-issues.ts';
import { parseYaml } from '../config/parse-yaml.ts';
import { canonicalHash } from '../plan/canonical-hash.ts';
import type { Digest } from '../plan/names.ts';
import { type Contradiction, contradictions } from './contradictions.ts';
import { Product } from './product.ts';
import { remainder } from './remainder.ts';

/** Text of a product.yaml → product, or everything that is wrong with it, by `file:line:column`. */
export function parseProduct(text: string, file: string): Outcome<Product> {
  const yaml = parseYaml(text);
  if (!yaml.ok) return wrong(file, yaml.problems);
  const parsed = Product.safeParse(yaml.value ?? {});
  const problems = parsed.success
    ? contradictions(parsed.data)
    : [
        ...describeIssues(parsed.error.issues as z.core.$ZodIssue[], Product),
        ...contradictionsOfRest(yaml.value),
      ];
  if (parsed.success && problems.length === 0) return ok(parsed.data);
  const placed = problems.map(({ path, text }) => ({ ...yaml.placeOf(path), text }));
  return wrong(
    file,
    placed.sort((a, b) => a.line - b.line || a.column - b.column),
  );
}

/** Contradictions in what is right by itself; that something is missing counts only where it is missing in the file too. */
function contradictionsOfRest(value: unknown): Contradiction[] {
  const rest = remainder(value);
  if (rest === undefined) return [];
  const { components, releases } = value as Readonly<Record<string, unknown>>;
  const written = [components, releases].flatMap((record) => Object.keys(record ?? {}));
  return contradictions(rest).filter(
    ({ lacks }) => lacks === undefined || (lacks !== '' && !written.includes(lacks)),
  );
}

/** What a lock says of product.yaml: SHA-256 of the parsed file, so that comments and order do not count. */
export function productDigest(product: Product): Digest {
  return `sha256:${canonicalHash(product)}` as Digest;
}

interface Placed {
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

function wrong(file: string, problems: readonly Placed[]): Outcome<never> {
  const [first, ...rest] = problems.map(
    ({ line, column, text }): Failure => ({
      reason: 'bad-product',
      detail: `${file}:${line}:${column}: ${text}${/[.?]$/.test(text) ? '' : '.'}`,
      hint: 'Correct the line; docs/reference/product.md says what every key means.',
      about: { file, line, column },
    }),
  );
  if (first === undefined) throw new Error('a file is wrong without a problem');
  return { ok: false, failures: [first, ...rest] };
}
