import type { Failure, Outcome } from '../builds/failure.ts';
import { ok } from '../builds/result.ts';
import type { PatchPolicy, Strategy } from '../plan/lock.ts';
import { quote } from './quote.ts';
import { parseRef, type Ref } from './ref.ts';
import { refNameProblem } from './ref-name.ts';
import { maximalComponents, RequestBody } from './request-body.ts';
import { pointerTo, shapeProblems } from './shape-problems.ts';

/** How a ref is to become code; `auto` is decided when it is resolved. */
export type As = 'auto' | 'merge' | 'pick' | 'head';

/** One ref of a request, with what was asked about it. */
export interface Wish {
  /** The ref as written. */
  readonly text: string;
  /** Where it stands in the request: `['components', 'tektoncd/pipeline']`. */
  readonly path: readonly string[];
  readonly ref: Ref;
  readonly as: As;
  /** Base branch, where the request says it. */
  readonly base?: string;
}

/** A request that can be read; whether the product knows its names, check-request.ts says. */
export interface BuildRequest {
  readonly name: string;
  /** By the name as written: a component or an alias of it. */
  readonly components: Readonly<Record<string, Wish>>;
  readonly patches: Readonly<Record<string, PatchPolicy>>;
  readonly notify: readonly string[];
  readonly rebuild: boolean;
  readonly product?: Wish;
  readonly release?: string;
  readonly strategy?: Strategy;
  readonly remote?: string;
}

/** What can be read of a request, whatever else is wrong with it. */
export interface RequestParts extends Omit<BuildRequest, 'components'> {
  /** Undefined: its ref cannot be read. */
  readonly components: Readonly<Record<string, Wish | undefined>>;
}

/** Reads the body of a request (as JSON.parse gave it): a request, or all its problems at once. */
export function parseRequest(json: unknown): Outcome<BuildRequest> {
  const { parts, failures } = parseParts(json);
  const [first, ...rest] = failures;
  if (first !== undefined) return { ok: false, failures: [first, ...rest] };
  // Without failures every ref was read.
  return ok(parts as BuildRequest);
}

/** Reads what can be read of a body, and all that is wrong with it. */
export function parseParts(json: unknown): { parts: RequestParts; failures: readonly Failure[] } {
  const parsed = RequestBody.safeParse(json);
  const failures = [...shapeProblems(parsed.error?.issues ?? [], json)];
  const wishes = readWishes(json, failures);
  failures.push(...meaningProblems(json));
  return { parts: assemble(parsed.data ?? wellFormed(json), wishes), failures };
}

interface Wishes {
  readonly components: Readonly<Record<string, Wish | undefined>>;
  readonly product?: Wish;
}

/** Reads every ref that is there, whatever else is wrong; problems go to `failures`. */
function readWishes(json: unknown, failures: Failure[]): Wishes {
  const body = members(json);
  const components = entries(body['components']).map(
    ([name, value]) => [name, readWish(value, ['components', name], name, failures)] as const,
  );
  const product = readWish(body['product'], ['product'], undefined, failures);
  const read = { components: Object.fromEntries(components) };
  return product === undefined ? read : { ...read, product };
}

function readWish(
  value: unknown,
  path: readonly string[],
  component: string | undefined,
  failures: Failure[],
): Wish | undefined {
  const parts = typeof value === 'string' ? { ref: value } : members(value);
  const text = parts['ref'];
  // Anything else was said by the schema.
  if (typeof text !== 'string') return undefined;
  const parsed = parseRef(text, component);
  const where = typeof value === 'string' ? path : [...path, 'ref'];
  if (!parsed.ok) {
    failures.push(...parsed.failures.map((failure) => ({ ...failure, pointer: pointerTo(where) })));
    return undefined;
  }
  const as = asOf(parts['as']);
  const base = typeof parts['base'] === 'string' ? parts['base'] : undefined;
  failures.push(...contradictions(parsed.value, as, base, path));
  return { text, path, ref: parsed.value, as, ...(base === undefined ? {} : { base }) };
}

function asOf(value: unknown): As {
  return value === 'merge' || value === 'pick' || value === 'head' ? value : 'auto';
}

function contradictions(
  ref: Ref,
  as: As,
  base: string | undefined,
  path: readonly string[],
): Failure[] {
  const problems: Failure[] = [];
  const problem = (key: string, detail: string, hint: string): void => {
    problems.push({ reason: 'bad-ref', detail, hint, pointer: pointerTo([...path, key]) });
  };
  const badBase = base === undefined ? undefined : refNameProblem(base);
  if (badBase !== undefined) {
    problem(
      'base',
      `${quote(base ?? '')} is no branch: ${badBase}.`,
      'Write the name of the base branch alone, such as main.',
    );
  }
  const alone = ref.kind === 'pull-request' && ref.part !== 'auto';
  if (alone && (as === 'merge' || as === 'pick')) {
    const number = `#${ref.number}`;
    problem(
      'as',
      `The ref names a commit as it is ("/${ref.part}"), and "as" asks for a ${as}.`,
      `Write ${number} without "/${ref.part}", or leave "as" out.`,
    );
  }
  if (
    base !== undefined &&
    (as === 'head' || alone || (as === 'auto' && ref.kind !== 'pull-request'))
  ) {
    problem(
      'base',
      'A base branch is given, but the code is taken as it is.',
      'Leave "base" out, or ask for "as": "merge" or "pick".',
    );
  }
  return problems;
}

/** What no schema says: how many components, and that they are not merely forgotten. */
function meaningProblems(json: unknown): Failure[] {
  const body = members(json);
  const count = entries(body['components']).length;
  if (count > maximalComponents) {
    return [
      {
        reason: 'too-many-components',
        detail: `The request names ${count} components; ${maximalComponents} is the most.`,
        hint: 'Leave out components whose code is not to change: they are taken from the product.',
        pointer: '/components',
      },
    ];
  }
  // The product as it is has to be asked for in so many words: a key may be misspelt.
  const said = body['components'] !== undefined || body['product'] !== undefined;
  if (!isObject(json) || said) return [];
  return [
    {
      reason: 'bad-request',
      detail: 'The request names no component and no change of the product.',
      hint: 'Name at least one: {"components": {"tektoncd/pipeline": "tektoncd/pipeline#4638"}}; or write {"components": {}} for the product as it is.',
      pointer: '/components',
    },
  ];
}

/** The fields of a body that have their shape; of patches that have not, the names alone count. */
function wellFormed(json: unknown): RequestBody {
  const body = members(json);
  const { name, release, strategy, remote, notify, rebuild, patches } = RequestBody.shape;
  const patch = patches.unwrap().valueType;
  const policies = entries(body['patches']).map(
    ([component, policy]) => [component, patch.safeParse(policy).data ?? 'none'] as const,
  );
  return {
    name: name.safeParse(body['name']).data ?? '',
    release: release.safeParse(body['release']).data,
    strategy: strategy.safeParse(body['strategy']).data,
    remote: remote.safeParse(body['remote']).data,
    notify: notify.safeParse(body['notify']).data,
    rebuild: rebuild.safeParse(body['rebuild']).data,
    patches: Object.fromEntries(policies),
  };
}

function assemble(body: RequestBody, wishes: Wishes): RequestParts {
  const { name, release, strategy, remote, notify = [], rebuild = false, patches = {} } = body;
  return {
    name,
    components: wishes.components,
    patches,
    notify: [...new Set(typeof notify === 'string' ? [notify] : notify)],
    rebuild,
    ...(wishes.product === undefined ? {} : { product: wishes.product }),
    ...(release === undefined ? {} : { release }),
    ...(strategy === undefined ? {} : { strategy }),
    ...(remote === undefined ? {} : { remote }),
  };
}

/** Only own members, so that nothing is read from a prototype. */
function members(value: unknown): Readonly<Record<string, unknown>> {
  return isObject(value)
    ? Object.assign(Object.create(null), Object.fromEntries(entries(value)))
    : Object.create(null);
}

/** Own members but `__proto__`, which the schema refuses. */
function entries(value: unknown): [string, unknown][] {
  return isObject(value) ? Object.entries(value).filter(([key]) => key !== '__proto__') : [];
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
