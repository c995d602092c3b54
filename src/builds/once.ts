/** `make`, run at its first call; a failure is not kept. */
export function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Promise<Value> | undefined;
  return () => {
    made ??= make().catch((error: unknown) => {
      made = undefined;
      throw error;
    });
    return made;
  };
}

/** `ask`, at most once in so many seconds: whoever asks in between gets the same answer. */
export function forSeconds<Value>(
  seconds: number,
  ask: () => Promise<Value>,
): () => Promise<Value> {
  let last: { readonly answer: Promise<Value>; readonly until: number } | undefined;
  return () => {
    const now = performance.now();
    if (last === undefined || now >= last.until)
      last = { answer: ask(), until: now + seconds * 1000 };
    return last.answer;
  };
}
