import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import { type FileTree, subtree, textFile, withFiles } from '../plan/file-tree.ts';
import { bundleAnnotations } from './bundle-annotations.ts';
import { sizeProblems } from './bundle-size.ts';
import { parseCsv } from './csv-document.ts';
import { type CsvEdits, editCsv } from './edit-csv.ts';

/** What a bundle is made of. */
export interface BundleInputs {
  /** Folder of the productization repository with `manifests/` and `metadata/`. */
  readonly product: FileTree;
  /** What the operator's own generator made, where a ref names the operator: takes the place of `manifests/`. */
  readonly generated: FileTree | null;
  readonly edits: Omit<CsvEdits, 'base'>;
  readonly baseVersion: string;
  /** The first is the default. */
  readonly channels: readonly string[];
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
  const released = findCsv(inputs.product, 'the productization repository');
  const shipped = inputs.generated ?? inputs.product;
  const template = inputs.generated ? findCsv(shipped, "the operator's bundle") : released;
  const annotations = bundleAnnotations(
    [inputs.product, shipped],
    inputs.edits.package,
    inputs.channels,
  );
  if (!released.ok || !template.ok || !annotations.ok)
    return together(released, template, annotations);

  const base = readBase(released.value, inputs.baseVersion);
  if (!base.ok) return base;
  const { file } = template.value;
  const csv = editCsv(template.value.text, file, { ...inputs.edits, base: base.value });
  if (!csv.ok) return csv;

  const files = withFiles(
    manifestsOf(shipped),
    dependenciesOf(shipped),
    new Map([
      [file, textFile(csv.value)],
      ['metadata/annotations.yaml', textFile(annotations.value.text)],
    ]),
  );
  const size = sizeProblems(files);
  if (!size.ok) return size;
  return ok({ files, labels: annotations.value.labels, warnings: size.value });
}

function together(...outcomes: readonly Outcome<unknown>[]): Outcome<never> {
  const failures = outcomes.flatMap((outcome) => (outcome.ok ? [] : outcome.failures));
  const [first, ...rest] = [...new Set(failures)] as [Failure, ...Failure[]];
  return failed(first, ...rest);
}

interface FoundCsv {
  readonly file: string;
  readonly text: string;
}

/** The one ClusterServiceVersion among the manifests. */
function findCsv(tree: FileTree, where: string): Outcome<FoundCsv> {
  const found = [...subtree(tree, 'manifests')]
    .filter(([name, file]) => /\.(ya?ml|json)$/.test(name) && file.mode !== '120000')
    .map(([name, file]) => ({ file: `manifests/${name}`, text: file.content.toString() }))
    .filter(({ text }) => /^\s*"?kind"?:\s*["']?ClusterServiceVersion\b/m.test(text));
  const [only, second] = found;
  if (only !== undefined && second === undefined) return ok(only);
  const files = found.map(({ file }) => file);
  return failed({
    reason: 'bad-bundle',
    detail: `There ${only === undefined ? 'is no ClusterServiceVersion' : `are several ClusterServiceVersions (${files.join(', ')})`} in manifests/ of ${where}.`,
    hint: 'A bundle holds exactly one: check `bundle.from` in product.yaml (or `output` of the generator).',
    about: { files },
  });
}

/** What the product's own CSV says of itself: the release that this build stands for. */
function readBase(released: FoundCsv, version: string): Outcome<CsvEdits['base']> {
  const parsed = parseCsv(released.text, released.file);
  if (!parsed.ok) return parsed;
  const csv = parsed.value;
  const own = csv.text(['spec', 'version']);
  if (own !== version || csv.name === '') {
    return failed({
      reason: 'bad-bundle',
      detail: `product.yaml says that the release is version ${version}, and the product's CSV (${csv.name}) says ${own ?? 'none'}.`,
      hint: 'Correct `version` of the release in product.yaml, or its `branch`: a build would else not upgrade from what is released.',
      about: { file: released.file },
    });
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
