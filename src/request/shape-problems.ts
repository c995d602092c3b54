import type { z } from 'zod';
import type { Failure, Reason } from '../builds/failure.ts';
import { didYouMean } from './nearest.ts';
import { quote } from './quote.ts';
import { maximalName } from './request-body.ts';

/** The JSON pointer (RFC 6901) of a path: `/components/tektoncd~1pipeline`. */
export function pointerTo(path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

/** What the schema found wrong in a request, in the words of people; unknown keys name the nearest known. */
export function shapeProblems(issues: readonly z.core.$ZodIssue[], json: unknown): Failure[] {
  const seen = issues.flatMap((issue) => describe(issue, [], json));
  const pointers = seen.map(({ pointer }) => pointer);
  return [...seen, ...hiddenKeys(json, []).filter(({ pointer }) => !pointers.includes(pointer))];
}

type Issue = z.core.$ZodIssue;

function describe(issue: Issue, above: readonly PropertyKey[], json: unknown): Failure[] {
  const path = [...above, ...issue.path];
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey([...path, key]));
  if (issue.code === 'invalid_union') {
    // The member of the union that was meant is the one whose type fits.
    const meant = issue.errors.find((errors) => !errors.some(isOfOtherType));
    if (meant !== undefined) return meant.flatMap((inner) => describe(inner, path, json));
  }
  return [wrongValue(issue, path, at(json, path))];
}

function isOfOtherType(issue: Issue): boolean {
  return (
    issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
  );
}

const keys: Readonly<Record<string, readonly string[]>> = {
  '': [
    ...['name', 'components', 'release', 'product', 'patches', 'strategy', 'remote', 'notify'],
    'rebuild',
  ],
  components: ['ref', 'as', 'base'],
  product: ['ref', 'as', 'base'],
  patches: ['skip'],
};

function unknownKey(path: readonly PropertyKey[]): Failure {
  const key = String(path.at(-1));
  const known = keys[path.length === 1 ? '' : String(path[0])] ?? [];
  return {
    reason: 'bad-request',
    detail: `${quote(key)} is no key here.`,
    hint: didYouMean(key, known) ?? `Known are ${known.join(', ')}.`,
    pointer: pointerTo(path),
  };
}

/** What is expected at a path: `*` stands for a component or the place in a list. */
const expected: Readonly<Record<string, readonly [detail: string, hint: string]>> = {
  '': [
    'a JSON object',
    'Send {"name": "test-my-thing", "components": {"tektoncd/pipeline": "tektoncd/pipeline#4638"}}.',
  ],
  name: [
    `a name of 1 to ${maximalName} lower-case letters, digits and "-", beginning and ending with a letter or digit`,
    'Choose a name such as "test-my-thing".',
  ],
  components: [
    'an object of component and ref',
    'Write {"tektoncd/pipeline": "tektoncd/pipeline#4638"}.',
  ],
  'components/*': [
    'a ref, or an object with "ref"',
    'Write "tektoncd/pipeline#4638" or {"ref": "tektoncd/pipeline#4638", "as": "pick"}.',
  ],
  product: [
    'a ref, or an object with "ref"',
    'Write a ref of the productization repository, such as "openshift-pipelines/productization#12".',
  ],
  '*/ref': ['a ref', 'Write a ref such as "tektoncd/pipeline#4638".'],
  '*/as': ['"auto", "merge", "pick" or "head"', 'Leave it out for "auto".'],
  '*/base': [
    'the name of a branch',
    'Write the base branch of the pull request, such as "main", or leave it out.',
  ],
  release: ['the name of a release', 'Leave it out for the default release.'],
  patches: ['an object of component and policy', 'Write {"tektoncd/pipeline": "none"}.'],
  'patches/*': [
    '"none" or {"skip": [PATCH, …]}',
    'Write "none" to apply no patch, or {"skip": ["0001-x.patch"]}.',
  ],
  'patches/*/skip': [
    'a list of at least one patch',
    'Write file names of patches: ["0001-x.patch"].',
  ],
  'patches/*/skip/*': [
    'the file name of a patch',
    'Write file names of patches: ["0001-x.patch"].',
  ],
  strategy: ['"images" or "makefile"', 'Leave it out for what the product is described for.'],
  remote: ['the name of a remote', 'Leave it out for the default remote.'],
  notify: [
    'a target or a list of targets',
    'Write the names of configured notify targets: ["team"].',
  ],
  'notify/*': [
    'the name of a notify target',
    'Write the names of configured notify targets: ["team"].',
  ],
  rebuild: ['true or false', 'Write true or false, or leave it out for false.'],
};

function wrongValue(issue: Issue, path: readonly PropertyKey[], value: unknown): Failure {
  const [what, hint] = expected[placeOf(path)] ?? ['something else', issue.message];
  const subject = path.length === 0 ? 'The body' : quote(path.map(String).join(' → '));
  const detail =
    value === undefined
      ? `${subject} is missing.`
      : `${subject} is ${shown(value)}, and must be ${what}.`;
  const reason: Reason = path[0] === 'name' ? 'bad-name' : 'bad-request';
  return { reason, detail, hint, pointer: pointerTo(path) };
}

function placeOf(path: readonly PropertyKey[]): string {
  const [first, ...rest] = path.map(String);
  const last = rest.at(-1) ?? '';
  if ((first === 'components' || first === 'product') && ['ref', 'as', 'base'].includes(last)) {
    const depth = first === 'product' ? 1 : 2;
    if (rest.length === depth) return `*/${last}`;
  }
  if (first === 'patches' && rest[1] === 'skip')
    return rest.length > 2 ? 'patches/*/skip/*' : 'patches/*/skip';
  return rest.length === 0 ? (first ?? '') : `${first}/*`;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value, 60);
  if (value === null || typeof value === 'number' || typeof value === 'boolean')
    return String(value);
  return Array.isArray(value) ? 'a list' : 'an object';
}

function at(json: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = json;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** `__proto__` as a key, which schemas pass over in silence. */
function hiddenKeys(json: unknown, path: readonly PropertyKey[]): Failure[] {
  if (typeof json !== 'object' || json === null || path.length > 4) return [];
  return Object.entries(json).flatMap(([key, value]) =>
    key === '__proto__' ? [unknownKey([...path, key])] : hiddenKeys(value, [...path, key]),
  );
}
