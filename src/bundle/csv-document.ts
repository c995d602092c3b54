import { Document, isMap, isScalar, isSeq, Scalar, visit, YAMLMap, YAMLSeq } from 'yaml';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { dataOf, longestManifest, parseOnly } from '../plan/yaml-documents.ts';
import { failureAt, type Place } from '../product/place.ts';

/** A container (or init container) of a deployment of the CSV. */
export interface CsvContainer {
  readonly deployment: string;
  readonly name: string;
  readonly node: YAMLMap;
}

/** A ClusterServiceVersion as a YAML document: what is not edited keeps its comments, order and quoting. */
export class CsvDocument {
  readonly #document: Document;
  readonly #indentSeq: boolean;
  readonly #placeOf: (offset: number | undefined) => Place;

  /** `indentSeq`: whether the items of a list stand deeper than its key. */
  constructor(
    document: Document,
    indentSeq: boolean,
    placeOf: (offset: number | undefined) => Place,
  ) {
    this.#document = document;
    this.#indentSeq = indentSeq;
    this.#placeOf = placeOf;
  }

  get name(): string {
    return this.text(['metadata', 'name']) ?? '';
  }

  /** The string (or number) at a path, as text. */
  text(path: readonly string[]): string | undefined {
    return scalarText(this.#document.getIn(path, true));
  }

  /** Where a mapping begins. */
  placeOf(node: YAMLMap): Place {
    return this.#placeOf(node.range?.[0]);
  }

  set(path: readonly string[], value: string): void {
    this.#document.setIn(path, quoted(value));
  }

  containers(): CsvContainer[] {
    const found: CsvContainer[] = [];
    for (const deployment of maps(this.#document.getIn([...installPath, 'deployments'], true))) {
      const pod = deployment.getIn(['spec', 'template', 'spec'], true);
      if (!isMap(pod)) continue;
      const name = scalarText(deployment.get('name', true)) ?? '';
      for (const kind of ['initContainers', 'containers']) {
        for (const node of maps(pod.get(kind, true))) {
          found.push({ deployment: name, name: scalarText(node.get('name', true)) ?? '', node });
        }
      }
    }
    return found;
  }

  /** Names of all deployments. */
  deployments(): string[] {
    const nodes = maps(this.#document.getIn([...installPath, 'deployments'], true));
    return nodes.map((node) => scalarText(node.get('name', true)) ?? '');
  }

  /** The entries of `spec.relatedImages`. */
  relatedImages(): YAMLMap[] {
    return maps(this.#document.getIn(relatedPath, true));
  }

  addRelatedImage(name: string, image: string): void {
    const list = this.#document.getIn(relatedPath, true);
    const entry = mapOf({ name, image });
    if (isSeq(list)) list.add(entry);
    else {
      const made = new YAMLSeq();
      made.add(entry);
      this.#document.setIn(relatedPath, made);
    }
  }

  toString(): string {
    return this.#document.toString({ lineWidth: 0, indentSeq: this.#indentSeq });
  }
}

const installPath = ['spec', 'install', 'spec'];
const relatedPath = ['spec', 'relatedImages'];

/** Reads the only document of a CSV file. */
export function parseCsv(text: string, file: string): Outcome<CsvDocument> {
  const parsed = parseOnly(text, { longest: longestManifest });
  if (!parsed.ok) return failed(unreadable(file, parsed.failures[0]));
  const { document, lines } = parsed.value;
  if (!isMap(document.contents))
    return failed(unreadable(file, { line: 1, text: 'it is no mapping' }));
  // An edit through an alias would change every place that shares the anchor: each gets its own copy.
  const plain = hasAliases(document) ? copyOf(document) : ok(document);
  if (!plain.ok) return failed(unreadable(file, plain.failures[0]));
  const isFlush = /^( *)[A-Za-z]+:\n\1- /m.test(text);
  const placeOf = (offset: number | undefined): Place =>
    offset === undefined ? { file } : { file, line: lines.linePos(offset).line || 1 };
  return ok(new CsvDocument(plain.value, !isFlush, placeOf));
}

function unreadable(
  file: string,
  { line, text }: { readonly line: number; readonly text: string },
): Failure {
  return failureAt(
    { file, line },
    {
      reason: 'bad-bundle',
      detail: `it cannot be read: ${text}.`,
      hint: 'Mend the ClusterServiceVersion in the repository that it comes from.',
    },
  );
}

function hasAliases(document: Document): boolean {
  let aliased = false;
  visit(document, {
    Alias() {
      aliased = true;
      return visit.BREAK;
    },
  });
  return aliased;
}

function copyOf(document: Document) {
  const value = dataOf(document);
  return value.ok ? ok(new Document(JSON.parse(JSON.stringify(value.value)))) : value;
}

/** The mappings in a sequence node; none where it is something else. */
function maps(node: unknown): YAMLMap[] {
  return isSeq(node) ? node.items.filter((item) => isMap(item)) : [];
}

/** The entries of a container's `env`. */
export function environment(container: CsvContainer): YAMLMap[] {
  return maps(container.node.get('env', true));
}

/** Gives a container an environment variable that it does not have. */
export function addEnvironment(container: CsvContainer, name: string, value: string): void {
  const list = container.node.get('env', true);
  const entry = mapOf({ name, value });
  if (isSeq(list)) list.add(entry);
  else {
    const made = new YAMLSeq();
    made.add(entry);
    container.node.set('env', made);
  }
}

/** The text of a key of a mapping. */
export function textOf(node: YAMLMap, key: string): string | undefined {
  return scalarText(node.get(key, true));
}

/** The texts in a sequence under a key of a mapping. */
export function textsOf(node: YAMLMap, key: string): string[] {
  const list = node.get(key, true);
  return isSeq(list) ? list.items.flatMap((item) => scalarText(item) ?? []) : [];
}

/** Sets a key of a mapping to a string that no reader takes for anything else. */
export function setText(node: YAMLMap, key: string, value: string): void {
  node.set(key, quoted(value));
}

function mapOf(values: Readonly<Record<string, string>>): YAMLMap {
  const map = new YAMLMap();
  for (const [key, value] of Object.entries(values)) map.set(key, quoted(value));
  return map;
}

function quoted(value: string): Scalar {
  const scalar = new Scalar(value);
  // Kubernetes reads YAML 1.1, where 1.7, yes and 1e3 without quotes are no strings; a plain word stays plain.
  scalar.type = /^[A-Za-z][A-Za-z0-9_./@:-]{8,}$/.test(value) ? Scalar.PLAIN : Scalar.QUOTE_DOUBLE;
  return scalar;
}

function scalarText(node: unknown): string | undefined {
  if (!isScalar(node) || node.value === null || node.value === undefined) return undefined;
  // `version: 1.10` is a number to YAML and was meant as it is written.
  return typeof node.value === 'string' ? node.value : (node.source ?? String(node.value));
}
