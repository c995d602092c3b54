import { z } from 'zod';

interface JsonSchema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly pattern?: string;
}

/** The JSON Schema of what people write: defaults may be left out. */
export function inputSchema(schema: z.ZodType): object {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
}

/** A Markdown table of every field of a schema, by its path: `components.<name>.payload.render`. */
export function renderSchemaTable(schema: z.ZodType): string {
  const rows = rowsOf(inputSchema(schema) as JsonSchema, '', true);
  return [
    '| field | type | default | meaning |',
    '| --- | --- | --- | --- |',
    ...rows.map(
      ({ path, type, fallback, meaning }) => `| \`${path}\` | ${type} | ${fallback} | ${meaning} |`,
    ),
  ].join('\n');
}

interface Row {
  readonly path: string;
  readonly type: string;
  readonly fallback: string;
  readonly meaning: string;
}

function rowsOf(schema: JsonSchema, path: string, required: boolean): Row[] {
  const own = path === '' ? [] : [rowOf(schema, path, required)];
  const below = [schema, ...(schema.anyOf ?? []), ...(schema.oneOf ?? [])];
  return dedupe([...own, ...below.flatMap((one) => inner(one, path))]);
}

function inner(schema: JsonSchema, path: string): Row[] {
  const prefix = path === '' ? '' : `${path}.`;
  const fields = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rowsOf(field, `${prefix}${name}`, schema.required?.includes(name) ?? false),
  );
  const { additionalProperties: values } = schema;
  const named = typeof values === 'object' ? nested(values, `${prefix}<name>`) : [];
  const items = schema.items === undefined ? [] : nested(schema.items, `${path}[]`);
  return [...fields, ...named, ...items];
}

/** What lies in maps and lists has a row only where it has fields of its own. */
function nested(schema: JsonSchema, path: string): Row[] {
  return inner(schema, path).concat(
    [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((one) => inner(one, path)),
  );
}

function rowOf(schema: JsonSchema, path: string, required: boolean): Row {
  return {
    path,
    type: typeOf(schema),
    fallback:
      schema.default === undefined
        ? required
          ? '**required**'
          : ''
        : `\`${JSON.stringify(schema.default)}\``,
    meaning: cell(schema.description ?? ''),
  };
}

function typeOf(schema: JsonSchema): string {
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined)
    return schema.enum.map((value) => `\`${String(value)}\``).join(', ');
  const options = schema.anyOf ?? schema.oneOf;
  if (options !== undefined) return [...new Set(options.map(typeOf))].join(' or ');
  if (schema.type === 'array')
    return `list of ${schema.items === undefined ? 'anything' : typeOf(schema.items)}`;
  if (schema.type === 'object' && typeof schema.additionalProperties === 'object') return 'map';
  return schema.type ?? 'anything';
}

/** Alternatives share fields: each path is told once, with all the constants that it may have. */
function dedupe(rows: readonly Row[]): Row[] {
  const byPath = new Map<string, Row>();
  for (const row of rows) {
    const known = byPath.get(row.path);
    if (known === undefined) byPath.set(row.path, row);
    else if (!known.type.split(' or ').includes(row.type))
      byPath.set(row.path, { ...known, type: `${known.type} or ${row.type}` });
  }
  return [...byPath.values()];
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ');
}
