import { z } from 'zod';
import { nearest } from '../request/nearest.ts';

/** One thing that is wrong in data: where, and a sentence (without its full stop). */
export interface DescribedIssue {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** What zod found, in words for people: unknown keys name the nearest known ones. */
export function describeIssues(
  issues: readonly z.core.$ZodIssue[],
  schema: z.ZodType,
): DescribedIssue[] {
  return issues.flatMap((issue) => describe(issue, schema));
}

function describe(issue: z.core.$ZodIssue, schema: z.ZodType): DescribedIssue[] {
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, issue.path);
    return issue.keys.map((key) => {
      const [closest] = nearest(key, known);
      const meant =
        closest === undefined ? `known are ${known.join(', ')}` : `did you mean \`${closest}\`?`;
      return {
        path: [...issue.path, key],
        text: `\`${[...issue.path, key].join('.')}\`: unknown key; ${meant}`,
      };
    });
  }
  const where = issue.path.length === 0 ? 'the file' : `\`${issue.path.map(String).join('.')}\``;
  const what = issue.message.replace(/^Invalid input: /, '').replace(/^Invalid /, 'not a valid ');
  return [{ path: issue.path, text: `${where}: ${what}` }];
}

/** Keys that an object schema knows at a path; none where the path leads elsewhere. */
function keysAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let current: z.ZodType | undefined = unwrap(schema);
  for (const key of path) {
    if (current instanceof z.ZodObject)
      current = current.shape[String(key)] as z.ZodType | undefined;
    else if (current instanceof z.ZodRecord) current = current.valueType as z.ZodType;
    else if (current instanceof z.ZodArray) current = current.element as z.ZodType;
    else return [];
    if (current === undefined) return [];
    current = unwrap(current);
  }
  return objectKeys(current);
}

/** Of a union: the keys of all its members. */
function objectKeys(schema: z.ZodType): string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (!(schema instanceof z.ZodUnion)) return [];
  return [...new Set(schema.options.flatMap((option) => objectKeys(unwrap(option as z.ZodType))))];
}

function unwrap(schema: z.ZodType): z.ZodType {
  if (
    schema instanceof z.ZodDefault ||
    schema instanceof z.ZodPrefault ||
    schema instanceof z.ZodOptional ||
    schema instanceof z.ZodNullable
  ) {
    return unwrap(schema.unwrap() as z.ZodType);
  }
  if (schema instanceof z.ZodPipe) return unwrap(schema.in as z.ZodType);
  return schema;
}
