import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { matchesGlob } from '../plan/glob.ts';
import type { Tag } from '../plan/names.ts';
import { failureAt, type Locate, locateIn } from '../product/place.ts';
import {
  addEnvironment,
  type CsvContainer,
  type CsvDocument,
  environment,
  parseCsv,
  setText,
  textOf,
} from './csv-document.ts';
import { type PlacedImages, placeImages } from './place-images.ts';
import { skipRange } from './skip-range.ts';

/** What a build makes of the product's CSV. */
export interface CsvEdits {
  /** OLM package. */
  readonly package: string;
  readonly tag: Tag;
  /** `<base version>-t<hash>`. */
  readonly operatorVersion: string;
  /** The product as released, which this build replaces. */
  readonly base: {
    readonly csv: string;
    readonly version: string;
    readonly skipRange?: string | undefined;
  };
  /** Null: whoever packs the bundle writes them, and here they stay as they are. */
  readonly images: PlacedImages | null;
  /** References (globs of `external`) that stay as they are. */
  readonly external: readonly string[];
}

/** Annotation of the CSV that names the build. */
const tagAnnotation = 'tributary.dev/tag';

// A constant, not the clock: the same inputs give the same bytes.
const createdAt = '2000-01-01T00:00:00Z';

/** A CSV as the bundle of a build carries it, or everything that is wrong with it. */
export function editCsv(
  text: string,
  file: string,
  edits: CsvEdits,
  locate: Locate = locateIn(undefined),
): Outcome<string> {
  const parsed = parseCsv(text, file);
  if (!parsed.ok) return parsed;
  const csv = parsed.value;
  const name = `${edits.package}.v${edits.operatorVersion}`;
  const problems = [
    ...nameProblems(name, locate),
    ...(edits.images === null ? [] : placeImages(csv, edits.images, edits.external, locate)),
  ];
  const [first, ...rest] = problems;
  if (first !== undefined) return failed(first, ...rest);

  csv.set(['metadata', 'name'], name);
  csv.set(['spec', 'version'], edits.operatorVersion);
  csv.set(
    ['spec', 'displayName'],
    `${csv.text(['spec', 'displayName']) ?? edits.package} (${edits.tag})`,
  );
  csv.set(['spec', 'replaces'], edits.base.csv);
  annotate(csv, edits);
  setVersions(csv, edits);
  return ok(csv.toString());
}

/** OLM writes the name into a label, which takes 63 characters. */
function nameProblems(name: string, locate: Locate): Failure[] {
  if (name.length <= 63 && /^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$/.test(name)) return [];
  const why =
    name.length > 63 ? `has ${name.length} characters, and OLM takes 63` : 'is no DNS name';
  return [
    failureAt(locate(['bundle', 'package']), {
      reason: 'bad-bundle',
      detail: `the name of the CSV, ${name}, ${why}.`,
      hint: 'Shorten `bundle.package` or the version of the release in product.yaml.',
      about: { name },
    }),
  ];
}

function annotate(csv: CsvDocument, { tag, base }: CsvEdits): void {
  const operator = csv.containers()[0];
  const annotations = {
    [tagAnnotation]: tag,
    'olm.skipRange': skipRange(base.version, base.skipRange),
    createdAt,
    ...(operator && { containerImage: textOf(operator.node, 'image') ?? '' }),
  };
  for (const [key, value] of Object.entries(annotations)) {
    csv.set(['metadata', 'annotations', key], value);
  }
}

/**
 * The operator compares VERSION with what it installed to know that its payload is new. Where no
 * container of the product has it, those that run the operator get it.
 */
function setVersions(csv: CsvDocument, edits: CsvEdits): void {
  const { operatorVersion } = edits;
  const own = csv.containers().filter((container) => runsOperator(container, edits));
  const variables = own.flatMap((container) => versionVariables(container));
  for (const variable of variables) {
    setText(variable, 'value', operatorVersion);
    variable.delete('valueFrom');
  }
  if (variables.length > 0) return;
  for (const container of own) addEnvironment(container, 'VERSION', operatorVersion);
}

/** Where others place the images, none is known by its reference: a container is known by the released version, or by not being external. */
function runsOperator(container: CsvContainer, { images, external, base }: CsvEdits): boolean {
  const reference = textOf(container.node, 'image') ?? '';
  if (images !== null) return Object.values(images).some((image) => image.reference === reference);
  const says = versionVariables(container).some((node) => textOf(node, 'value') === base.version);
  return says || !external.some((glob) => matchesGlob(reference, glob));
}

function versionVariables(container: CsvContainer) {
  return environment(container).filter((node) => textOf(node, 'name') === 'VERSION');
}
