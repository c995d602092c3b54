import type { Result as AnyResult } from './result.ts';

/** Whose failure it is, and so who can mend it. */
export type Owner =
  | 'request'
  | 'ref'
  | 'patch'
  | 'product'
  | 'credentials'
  | 'infrastructure'
  | 'tributary';

interface Row {
  /** HTTP status where the failure answers a request. */
  readonly status: number;
  /** Exit code of the CLI. */
  readonly exit: number;
  readonly owner: Owner;
  /** Short, human title (RFC 9457 `title`). */
  readonly title: string;
}

/**
 * The one table of everything that can go wrong: reason → HTTP status, exit code, whose it is, title.
 * Exit codes: 2 the request or its usage, 3 code or product (the build cannot succeed as asked),
 * 4 infrastructure (try again), 5 not found, 6 cancelled, 70 a bug of ours.
 */
export const reasons = {
  'bad-request': { status: 400, exit: 2, owner: 'request', title: 'The request cannot be read' },
  'body-too-large': {
    status: 413,
    exit: 2,
    owner: 'request',
    title: 'The body is larger than 64 KiB',
  },
  'bad-name': { status: 422, exit: 2, owner: 'request', title: 'The name is not usable' },
  'bad-ref': { status: 422, exit: 2, owner: 'request', title: 'The ref cannot be read' },
  'unknown-component': { status: 422, exit: 2, owner: 'request', title: 'No such component' },
  'unknown-release': { status: 422, exit: 2, owner: 'request', title: 'No such release' },
  'unknown-remote': { status: 422, exit: 2, owner: 'request', title: 'No such remote' },
  'strategy-not-possible': {
    status: 422,
    exit: 2,
    owner: 'request',
    title: 'The strategy is not possible here',
  },
  'unknown-notify-target': {
    status: 422,
    exit: 2,
    owner: 'request',
    title: 'No such notify target',
  },
  'unknown-patch': { status: 422, exit: 2, owner: 'request', title: 'No such patch' },
  'too-many-components': {
    status: 422,
    exit: 2,
    owner: 'request',
    title: 'More than 20 components',
  },
  'host-not-allowed': {
    status: 422,
    exit: 2,
    owner: 'request',
    title: 'The git host is not allowed',
  },
  'ref-not-found': { status: 422, exit: 3, owner: 'ref', title: 'The ref does not exist' },
  'ambiguous-commit': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'The short commit is not unique',
  },
  'unrelated-repository': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'The code shares no history with the component',
  },
  'merge-conflict': { status: 409, exit: 3, owner: 'ref', title: 'The change conflicts' },
  'patch-conflict': {
    status: 409,
    exit: 3,
    owner: 'patch',
    title: 'A downstream patch does not apply',
  },
  'unresolved-image-reference': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'A ko:// reference has no image',
  },
  'unusable-files': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'The code has files that cannot be built',
  },
  'bad-payload': { status: 422, exit: 3, owner: 'ref', title: 'The payload cannot be rendered' },
  'bad-bundle': { status: 422, exit: 3, owner: 'product', title: 'The bundle cannot be assembled' },
  'bad-product': {
    status: 422,
    exit: 3,
    owner: 'product',
    title: 'The product is not described correctly',
  },
  'bad-configuration': {
    status: 500,
    exit: 2,
    owner: 'product',
    title: 'The configuration is not usable',
  },
  'image-build-failed': { status: 422, exit: 3, owner: 'ref', title: 'An image does not build' },
  'command-failed': { status: 422, exit: 3, owner: 'ref', title: 'A command of the ref failed' },
  'target-failed': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'A target of the Makefile failed',
  },
  'limit-exceeded': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'A container build used more than it may',
  },
  'strange-output': {
    status: 422,
    exit: 3,
    owner: 'ref',
    title: 'A build left what cannot be trusted',
  },
  'not-on-a-cluster': {
    status: 422,
    exit: 3,
    owner: 'product',
    title: 'The product needs what a cluster does not do',
  },
  'not-included': {
    status: 422,
    exit: 3,
    owner: 'tributary',
    title: 'The bundle does not hold what was asked for',
  },
  'git-unavailable': {
    status: 502,
    exit: 4,
    owner: 'infrastructure',
    title: 'The git server does not answer',
  },
  'registry-unavailable': {
    status: 502,
    exit: 4,
    owner: 'infrastructure',
    title: 'The registry does not answer',
  },
  'registry-unusable': {
    status: 502,
    exit: 4,
    owner: 'infrastructure',
    title: 'The registry sends something else',
  },
  'git-too-slow': {
    status: 504,
    exit: 4,
    owner: 'infrastructure',
    title: 'A git server takes too long',
  },
  'git-denied': {
    status: 502,
    exit: 4,
    owner: 'credentials',
    title: 'A git server refuses our credential',
  },
  'registry-denied': {
    status: 502,
    exit: 4,
    owner: 'credentials',
    title: 'The registry refuses our credential',
  },
  'base-image-not-found': {
    status: 422,
    exit: 3,
    owner: 'product',
    title: 'A base image does not exist',
  },
  'tool-missing': { status: 500, exit: 4, owner: 'infrastructure', title: 'A program is missing' },
  'disk-full': { status: 507, exit: 4, owner: 'infrastructure', title: 'A disk is full' },
  'bad-state': {
    status: 500,
    exit: 4,
    owner: 'infrastructure',
    title: 'The state folder is not usable',
  },
  'tools-changed': {
    status: 500,
    exit: 4,
    owner: 'infrastructure',
    title: 'Tributary or its tools changed in the middle of a build',
  },
  'step-crashed': {
    status: 500,
    exit: 4,
    owner: 'infrastructure',
    title: 'A step ended without a result',
  },
  'step-timeout': { status: 500, exit: 4, owner: 'infrastructure', title: 'A step took too long' },
  'cluster-unavailable': {
    status: 502,
    exit: 4,
    owner: 'infrastructure',
    title: 'The cluster does not answer',
  },
  'cluster-denied': {
    status: 502,
    exit: 4,
    owner: 'credentials',
    title: 'The cluster refuses our credential',
  },
  'run-refused': {
    status: 500,
    exit: 4,
    owner: 'infrastructure',
    title: 'The cluster cannot run the build',
  },
  'run-deleted': {
    status: 500,
    exit: 4,
    owner: 'infrastructure',
    title: 'The run of the build was removed',
  },
  'build-not-found': { status: 404, exit: 5, owner: 'request', title: 'No such build' },
  'step-not-found': { status: 404, exit: 5, owner: 'request', title: 'No such step' },
  'not-found': { status: 404, exit: 5, owner: 'request', title: 'No such page' },
  'method-not-allowed': {
    status: 405,
    exit: 2,
    owner: 'request',
    title: 'The method is not allowed here',
  },
  'unsupported-media-type': {
    status: 415,
    exit: 2,
    owner: 'request',
    title: 'The body is not JSON',
  },
  'foreign-origin': {
    status: 403,
    exit: 2,
    owner: 'request',
    title: 'The request comes from a foreign site',
  },
  'not-authenticated': {
    status: 401,
    exit: 2,
    owner: 'request',
    title: 'The service does not know who asks',
  },
  'not-permitted': {
    status: 403,
    exit: 2,
    owner: 'request',
    title: 'The caller may not do this',
  },
  'not-approved': {
    status: 403,
    exit: 3,
    owner: 'ref',
    title: 'Nobody has approved the code',
  },
  'approval-not-found': { status: 404, exit: 5, owner: 'request', title: 'No such approval' },
  'too-many-requests': {
    status: 429,
    exit: 4,
    owner: 'request',
    title: 'The caller asks too often',
  },
  'not-finished': { status: 409, exit: 2, owner: 'request', title: 'The build is not finished' },
  'not-installable': {
    status: 409,
    exit: 2,
    owner: 'request',
    title: 'The build did not succeed',
  },
  'already-finished': {
    status: 409,
    exit: 2,
    owner: 'request',
    title: 'The build is already finished',
  },
  'still-running': { status: 409, exit: 2, owner: 'request', title: 'The build is still running' },
  'server-unavailable': {
    status: 502,
    exit: 4,
    owner: 'infrastructure',
    title: 'The server does not answer',
  },
  cancelled: { status: 409, exit: 6, owner: 'request', title: 'The build was cancelled' },
  'internal-error': { status: 500, exit: 70, owner: 'tributary', title: 'A bug in Tributary' },
} as const satisfies Record<string, Row>;

/** The name of a failure: a key of the table above. */
export type Reason = keyof typeof reasons;

/** What went wrong, told so that the reader knows what to do next. */
export interface Failure {
  readonly reason: Reason;
  /** What happened, to what: one sentence, without the remedy. */
  readonly detail: string;
  /** What to do next: one or two sentences, with a command or a value where there is one. */
  readonly hint: string;
  /** Where in the request: a JSON pointer such as `/components/tektoncd~1pipeline`. */
  readonly pointer?: string;
  /** The component, patch, image, files, lines … concerned; shown as a list. */
  readonly about?: Readonly<Record<string, string | number | readonly string[]>>;
}

/** A decision that can fail with {@link Failure}s. */
export type Outcome<Value> = AnyResult<Value, Failure>;

/** What could be read of something, and everything that is wrong with it. */
export interface PartlyRead<Value> {
  readonly value: Value;
  readonly problems: readonly Failure[];
}

/** All of it, where nothing is wrong. */
export function whole<Value>({ value, problems }: PartlyRead<Value>): Outcome<Value> {
  const [first, ...rest] = problems;
  return first === undefined ? { ok: true, value } : { ok: false, failures: [first, ...rest] };
}

/** Whether asking again may help without anyone mending the code: infrastructure and credentials, not code. */
export function mayPass(failure: Failure): boolean {
  const owner: Owner = reasons[failure.reason].owner;
  return owner === 'infrastructure' || owner === 'credentials';
}

/** Two lines for people: what happened, and below it what to do. */
export function describeFailure(failure: Failure): string {
  return `${failure.detail}\n  ${failure.hint}`;
}

/**
 * Carries failures of the outside world (git, registry, programs) up to the nearest border, where
 * {@link attempt} turns them into data. Decisions never throw it: they return an {@link Outcome}.
 */
export class FailureError extends Error {
  readonly failures: readonly [Failure, ...Failure[]];

  constructor(first: Failure, ...rest: Failure[]) {
    super(describeFailure(first));
    this.name = 'FailureError';
    this.failures = [first, ...rest];
  }
}

/** Runs `work`; a {@link FailureError} becomes a failed outcome, any other error goes on as a bug. */
export async function attempt<Value>(work: () => Promise<Value>): Promise<Outcome<Value>> {
  try {
    return { ok: true, value: await work() };
  } catch (error) {
    if (error instanceof FailureError) return { ok: false, failures: error.failures };
    throw error;
  }
}

/** The value, or the failures thrown as a {@link FailureError}: for code between two borders. */
export function demand<Value>(outcome: Outcome<Value>): Value {
  if (outcome.ok) return outcome.value;
  throw new FailureError(...outcome.failures);
}
