import type { z } from 'zod';
import { Product } from './product.ts';

/** What stands in for a part of product.yaml that is wrong by itself: nothing in it can contradict the rest. */
const standIns = {
  product: 'x',
  layout: 'distgit',
  repository: 'https://example.com/x/x',
  releases: {},
  components: {},
  images: {},
  bundle: { image: 'x-bundle-x', package: 'x', from: 'x' },
  index: { image: 'x-index-x', serve: 'data' },
} as const;

/**
 * A product file without what the schema refuses, so that names that lead nowhere are told in the same round; undefined
 * where nothing is left. Items of lists keep their places: of a list with a wrong item, the key that holds it goes.
 */
export function remainder(value: unknown): Product | undefined {
  if (!isRecord(value)) return undefined;
  const rest = structuredClone(value);
  for (let round = 0; round < 10; round++) {
    const parsed = Product.safeParse(rest);
    if (parsed.success) return parsed.data;
    for (const issue of parsed.error.issues) remove(rest, issue);
  }
  return undefined;
}

function remove(rest: Record<string, unknown>, issue: z.core.$ZodIssue): void {
  if (issue.code === 'unrecognized_keys') {
    const holder = at(rest, issue.path);
    if (isRecord(holder)) for (const key of issue.keys) delete holder[key];
    return;
  }
  const [top, ...below] = issue.path.map(String);
  if (top === undefined) return;
  // What is not there, or an item of a list, cannot be taken away: then its holder is.
  for (let path = [top, ...below]; path.length > 1; path = path.slice(0, -1)) {
    const holder = at(rest, path.slice(0, -1));
    const key = path.at(-1) as string;
    if (!isRecord(holder) || !Object.hasOwn(holder, key)) continue;
    delete holder[key];
    return;
  }
  if (Object.hasOwn(standIns, top))
    rest[top] = structuredClone(standIns[top as keyof typeof standIns]);
  else delete rest[top];
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (holder, key) =>
      holder === null || typeof holder !== 'object' ? undefined : Reflect.get(holder, key),
    value,
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
