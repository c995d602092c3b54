import type { Response } from 'undici';
import type { Problem } from '../api/answers.ts';
import { type Failure, FailureError, type Outcome, reasons } from '../builds/failure.ts';
import { failed } from '../builds/result.ts';

/** The body of an answer as JSON. Throws FailureError where it is none. */
export async function readAnswer<Answer>(response: Response, root: string): Promise<Answer> {
  try {
    return (await response.json()) as Answer;
  } catch (error) {
    throw unavailable(root, error);
  }
}

/** What the service refused, in its own words; whatever is no Problem did not come from a service of ours. */
export async function refusal(response: Response, root: string): Promise<Outcome<never>> {
  if (response.status >= 300 && response.status < 400) return failed(sentOn(response, root));
  const problem = (await response.json().catch(() => undefined)) as Partial<Problem> | undefined;
  const known: Failure[] = (problem?.problems ?? []).filter(({ reason }) => reason in reasons);
  const [first, ...rest] = known;
  if (first !== undefined) return failed(first, ...rest);
  return failed({
    reason: 'server-unavailable',
    detail: `${root} answered with status ${response.status}, and not as Tributary does.`,
    hint: 'Check --server (or TRIBUTARY_SERVER): it is the URL of a service, such as http://127.0.0.1:8080.',
  });
}

function sentOn({ status, headers }: Response, root: string): Failure {
  const location = headers.get('location') ?? '';
  const origin = URL.canParse(location, root) ? new URL(location, root).origin : 'another place';
  return {
    reason: 'server-unavailable',
    detail: `${root} sends on to ${origin} (status ${status}).`,
    hint: `If that is the service, name it: --server ${origin}`,
  };
}

/** Nobody answers, or not to the end. */
export function unavailable(root: string, error: unknown): FailureError {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return new FailureError({
    reason: 'server-unavailable',
    detail: `The service at ${root} does not answer: ${cause instanceof Error ? cause.message : String(cause)}.`,
    hint: 'Check --server (or TRIBUTARY_SERVER), and that the service runs there: tributary serve.',
  });
}
