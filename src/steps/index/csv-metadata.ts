/** A JSON value of the kind that a manifest holds. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json | undefined;
}

/** The value as an object, else an empty one. */
export function asObject(value: unknown): JsonObject {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as JsonObject) : {};
}

/** The value as a list of objects; anything else in it is left out. */
export function asObjects(value: unknown): JsonObject[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item) => typeof item === 'object' && item !== null && !Array.isArray(item));
}

/**
 * Value of the catalog's property `olm.csv.metadata`: what OLM shows of an operator without its CSV
 * (operator-registry, alpha/property: CSVMetadata). Fields that OLM's types do not have are left out, for
 * `opm render` leaves them out too.
 */
export function csvMetadata(csv: JsonObject): JsonObject {
  const metadata = asObject(csv['metadata']);
  const spec = asObject(csv['spec']);
  return present({
    annotations: metadata['annotations'],
    apiServiceDefinitions: owned(spec['apiservicedefinitions'], apiService),
    crdDescriptions: owned(spec['customresourcedefinitions'], crd),
    description: spec['description'],
    displayName: spec['displayName'],
    installModes: each(spec['installModes'], { type: '', supported: false }),
    keywords: spec['keywords'],
    labels: metadata['labels'],
    links: each(spec['links'], appLink),
    maintainers: each(spec['maintainers'], { name: undefined, email: undefined }),
    maturity: spec['maturity'],
    minKubeVersion: spec['minKubeVersion'],
    nativeAPIs: each(spec['nativeAPIs'], { group: '', version: '', kind: '' }),
    provider: shaped(asObject(spec['provider']), appLink),
  });
}

/** Field → its value where the manifest has none (undefined: left out), or how its items are shaped. */
type Shape = Readonly<Record<string, Json | undefined | { readonly items: Shape }>>;

const appLink: Shape = { name: undefined, url: undefined };
const descriptor: Shape = {
  path: '',
  displayName: undefined,
  description: undefined,
  'x-descriptors': undefined,
  value: undefined,
};
const descriptors: Shape = {
  displayName: undefined,
  description: undefined,
  resources: { items: { name: '', kind: '', version: '' } },
  statusDescriptors: { items: descriptor },
  specDescriptors: { items: descriptor },
  actionDescriptors: { items: descriptor },
};
const crd: Shape = { name: '', version: '', kind: '', ...descriptors };
const apiService: Shape = {
  ...{ name: '', group: '', version: '', kind: '' },
  deploymentName: undefined,
  containerPort: undefined,
  ...descriptors,
};

function owned(definitions: unknown, shape: Shape): JsonObject {
  const { owned, required } = asObject(definitions);
  return present({ owned: each(owned, shape), required: each(required, shape) });
}

function each(list: unknown, shape: Shape): JsonObject[] | undefined {
  const items = asObjects(list).map((item) => shaped(item, shape));
  return items.length === 0 ? undefined : items;
}

function shaped(value: JsonObject, shape: Shape): JsonObject {
  const result: Record<string, Json | undefined> = {};
  for (const [field, rule] of Object.entries(shape)) {
    const given = value[field];
    if (isList(rule)) result[field] = each(given, rule.items);
    // Go leaves an empty value out where the field may be missing, and writes it where it may not.
    else result[field] = given === undefined || isEmpty(given) ? rule : given;
  }
  return defined(result);
}

function isList(rule: Shape[string]): rule is { readonly items: Shape } {
  return typeof rule === 'object' && rule !== null && 'items' in rule;
}

function present(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return defined(
    Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [key, isEmpty(value) ? undefined : value]),
    ),
  );
}

function defined(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

function isEmpty(value: Json | undefined): boolean {
  return value === null || value === '' || (Array.isArray(value) && value.length === 0);
}
