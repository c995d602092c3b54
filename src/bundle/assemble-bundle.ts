import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { type FileTree, subtree, textFile, withFiles } from '../plan/file-tree.ts';
import { failureAt, type Locate, locateIn, type Place } from '../product/place.ts';
import { bundleAnnotations } from './bundle-annotations.ts';
import { sizeProblems } from './bundle-size.ts';
import { parseCsv } from './csv-document.ts';
import { type CsvEdits, editCsv } from './edit-csv.ts';

/** What a bundle is made of. */
export interface BundleInputs {
  /** Folder of the productization repository with `manifests/` and `metadata/`. */
  readonly product: FileTree;
  /** Its path, for people. */
  readonly folder: string;
  /** What the operator's own generator made, where a ref names the operator: takes the place of `manifests/`. */
  readonly generated: FileTree | null;
  readonly edits: Omit<CsvEdits, 'base'>;
  readonly release: string;
  readonly baseVersion: string;
  /** The first is the default. */
  readonly channels: readonly string[];
  /** Places in product.yaml. */
  readonly locate?: Locate;
}

/** A bundle's files and labels, ready to be packed. */
export interface AssembledBundle {
  /** `manifests/…`, `metadata/annotations.yaml`. */
  readonly files: FileTree;
  readonly labels: Readonly<Record<string, string>>;
  /** Things to tell that are no failure. */
  readonly warnings: readonly string[];
}

/** The bundle of a build, or everything that is wrong with its template. */
export function assembleBundle(inputs: BundleInputs): Outcome<AssembledBundle> {
  const released = findCsv(inputs.product, inTree(inputs, null));
  const shipped = inputs.generated ?? inputs.product;
  const template = inputs.generated ? findCsv(shipped, inTree(inputs, shipped)) : released;
  const annotations = annotationsOf(inputs);
  const base = released.ok ? readBase(released.value, inputs) : released;
  const csv = template.ok ? edit(template.value, base, inputs) : template;
  if (!released.ok || !template.ok || !annotations.ok || !base.ok || !csv.ok)
    return together(released, template, annotations, base, csv);

  const files = withFiles(
    manifestsOf(shipped),
    dependenciesOf(shipped),
    new Map([
      [template.value.file, textFile(csv.value)],
      ['metadata/annotations.yaml', textFile(annotations.value.text)],
    ]),
  );
  const size = sizeProblems(files);
  if (!size.ok) return size;
  return ok({ files, labels: annotations.value.labels, warnings: size.value });
}

/** What is wrong with the folder in the productization repository itself, where another CSV takes the place of its own. */
export function releasedProblems(inputs: BundleInputs): readonly Failure[] {
  const released = findCsv(inputs.product, inTree(inputs, null));
  const outcomes = [
    annotationsOf(inputs),
    released.ok ? readBase(released.value, inputs) : released,
  ];
  return outcomes.flatMap((outcome) => (outcome.ok ? [] : outcome.failures));
}

function annotationsOf({ product, generated, edits, channels, ...inputs }: BundleInputs) {
  const trees = generated === null ? [product] : [product, generated];
  const file = `${inputs.folder}/metadata/annotations.yaml`;
  return bundleAnnotations(trees, edits.package, channels, file);
}

/** Where the tree of a template is, and how its files are called. */
interface InTree {
  readonly prefix: string;
  /** What to mend where there is no CSV. */
  readonly origin: Place;
  readonly what: string;
}

function inTree(
  { folder, locate = locateIn(undefined) }: BundleInputs,
  generated: FileTree | null,
): InTree {
  return generated === null
    ? { prefix: `${folder}/`, origin: locate(['bundle', 'from']), what: folder }
    : { prefix: '', origin: { file: 'manifests' }, what: "the operator's bundle" };
}

/** With an unknown base, only what is wrong with the CSV itself counts. */
function edit(
  { file, shown, text }: FoundCsv,
  base: Outcome<CsvEdits['base']>,
  inputs: BundleInputs,
) {
  const { edits, baseVersion, locate } = inputs;
  const known = base.ok ? base.value : { csv: file, version: baseVersion };
  return editCsv(text, shown, { ...edits, base: known }, locate);
}

function together(...outcomes: readonly Outcome<unknown>[]): Outcome<never> {
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : outcome.failures));
  // The released CSV is often the template, too: what is wrong with it is told once.
  const once = new Map(failures.map((failure) => [failure.detail, failure]));
  const [first, ...rest] = [...once.values()] as [Failure, ...Failure[]];
  return failed(first, ...rest);
}

interface FoundCsv {
  /** Below the bundle's folder. */
  readonly file: string;
  /** In the repository. */
  readonly shown: string;
  readonly text: string;
}

/** The one ClusterServiceVersion among the manifests. */
function findCsv(tree: FileTree, { prefix, origin, what }: InTree): Outcome<FoundCsv> {
  const found = [...subtree(tree, 'manifests')]
    .filter(([name, file]) => /\.(ya?ml|json)$/.test(name) && file.mode !== '120000')
    .map(([name, file]) => ({
      file: `manifests/${name}`,
      shown: `${prefix}manifests/${name}`,
      text: file.content.toString(),
    }))
    .filter(({ text }) => /^\s*"?kind"?:\s*["']?ClusterServiceVersion\b/m.test(text));
  const [only, second] = found;
  if (only !== undefined && second === undefined) return ok(only);
  const files = found.map(({ shown }) => shown);
  return failed(
    failureAt(second === undefined ? origin : { file: second.shown, line: 1 }, {
      reason: 'bad-bundle',
      detail: `there ${second === undefined ? 'is no ClusterServiceVersion' : `are several ClusterServiceVersions (${files.join(', ')})`} in manifests/ of ${what}.`,
      hint: 'A bundle holds exactly one: check `bundle.from` in product.yaml (or `output` of the generator).',
      about: { files },
    }),
  );
}

/** What the product's own CSV says of itself: the release that this build stands for. */
function readBase(released: FoundCsv, inputs: BundleInputs): Outcome<CsvEdits['base']> {
  const { baseVersion: version, release, locate = locateIn(undefined) } = inputs;
  const parsed = parseCsv(released.text, released.shown);
  if (!parsed.ok) return parsed;
  const csv = parsed.value;
  const own = csv.text(['spec', 'version']);
  if (own !== version || csv.name === '') {
    return failed(
      failureAt(locate(['releases', release, 'version']), {
        reason: 'bad-bundle',
        detail: `release ${release} is version ${version}, and the product's CSV (${csv.name}, ${released.shown}) says ${own ?? 'none'}.`,
        hint: 'Correct `version` of the release in product.yaml, or its `branch`: a build would else not upgrade from what is released.',
        about: { csv: released.shown },
      }),
    );
  }
  return ok({
    csv: csv.name,
    version,
    skipRange: csv.text(['metadata', 'annotations', 'olm.skipRange']),
  });
}

function manifestsOf(tree: FileTree): FileTree {
  // opm and OLM read the folder itself: folders and hidden files (.gitkeep) in it are refused or ignored.
  return new Map([...tree].filter(([path]) => /^manifests\/[^./][^/]*$/.test(path)));
}

function dependenciesOf(tree: FileTree): FileTree {
  return new Map(
    [...tree].filter(([path]) => /^metadata\/(dependencies|properties)\.yaml$/.test(path)),
  );
}
