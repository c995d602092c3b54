/**
 * The candidates that `word` was probably meant to be, best first, at most `limit`: one that holds
 * it as a path segment or prefix, or one within a third of its length in single-letter edits.
 */
export function nearest(word: string, candidates: Iterable<string>, limit = 3): string[] {
  const wanted = word.slice(0, longest).toLowerCase();
  return [...new Set(candidates)]
    .map((candidate) => ({ candidate, distance: closeness(wanted, candidate.toLowerCase()) }))
    .filter(({ distance }) => distance !== undefined)
    .sort((a, b) => Number(a.distance) - Number(b.distance) || order(a.candidate, b.candidate))
    .slice(0, limit)
    .map(({ candidate }) => candidate);
}

/** "Did you mean a, b or c?", or undefined where nothing is near. */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const near = nearest(word, candidates);
  return near.length === 0 ? undefined : `Did you mean ${orList(near)}?`;
}

/** `a`, `a or b`, `a, b or c`. */
export function orList(items: readonly string[]): string {
  const last = items.at(-1) ?? '';
  return items.length < 2 ? last : `${items.slice(0, -1).join(', ')} or ${last}`;
}

/** Longer words are compared by their beginning, so that a stranger's text costs little. */
const longest = 100;

function closeness(wanted: string, candidate: string): number | undefined {
  if (wanted === candidate) return 0;
  if (wanted === '') return undefined;
  if (candidate.split('/').includes(wanted) || wanted.split('/').includes(candidate)) return 0.5;
  if (candidate.startsWith(wanted)) return 0.7;
  const distance = editDistance(wanted, candidate.slice(0, longest));
  if (distance <= Math.max(1, Math.ceil(wanted.length / 3))) return distance;
  const sameLastSegment = wanted.includes('/') && lastSegment(wanted) === lastSegment(candidate);
  if (sameLastSegment || (wanted.length >= 3 && candidate.includes(wanted))) return distance;
  return undefined;
}

function lastSegment(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function order(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/** Insertions, deletions, substitutions and swaps of neighbors that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const swapped =
        row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current[column] = Math.min(
        at(last, column) + 1,
        at(current, column - 1) + 1,
        at(last, column - 1) + (same ? 0 : 1),
        swapped ? at(beforeLast, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}
