/** What a decision gives: a value, or every failure found at once. Throwing is kept for bugs. */
export type Result<Value, Problem> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly failures: readonly [Problem, ...Problem[]] };

/** A success that carries `value`. */
export function ok<Value>(value: Value): { readonly ok: true; readonly value: Value } {
  return { ok: true, value };
}

/** A failure that carries all problems, in the order in which they were found. */
export function failed<Problem>(first: Problem, ...rest: Problem[]) {
  return { ok: false, failures: [first, ...rest] as [Problem, ...Problem[]] } as const;
}

/** Closes a `switch` over a union: the compiler complains where a kind was forgotten. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
