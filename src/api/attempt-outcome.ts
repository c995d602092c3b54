import { attempt, type Outcome } from '../builds/failure.ts';

/** Runs `work`, which gives an outcome; a FailureError that it throws becomes a failed one. */
export async function attemptOutcome<Value>(
  work: () => Promise<Outcome<Value>>,
): Promise<Outcome<Value>> {
  const outcome = await attempt(work);
  return outcome.ok ? outcome.value : outcome;
}
