import { gzipSync } from 'node:zlib';
import { isMap, isScalar, parse, parseDocument } from 'yaml';
import type { Failure, Outcome } from '../../builds/failure.ts';
import { failed, ok } from '../../builds/result.ts';
import { type FileTree, subtree, textFile, withFiles } from '../../plan/file-tree.ts';
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
  const annotations = bundleAnnotations(inputs.product, shipped, inputs);
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

const prefix = 'operators.operatorframework.io.bundle.';

/** annotations.yaml with the release's channels; its labels are the same (annotations.yaml wins, facts of OLM). */
function bundleAnnotations(
  product: FileTree,
  shipped: FileTree,
  { edits, channels }: BundleInputs,
): Outcome<{ text: string; labels: Record<string, string> }> {
  const path = 'metadata/annotations.yaml';
  const text = (product.get(path) ?? shipped.get(path))?.content.toString();
  const document = parseDocument(text ?? '');
  const annotations = document.get('annotations');
  if (text === undefined || document.errors.length > 0 || !isMap(annotations)) {
    return failed({
      reason: 'bad-bundle',
      detail: `The bundle's ${path} ${text === undefined ? 'is missing' : 'has no mapping `annotations`'}.`,
      hint: 'Check `bundle.from` in product.yaml: the folder holds manifests/ and metadata/annotations.yaml.',
      about: { file: path },
    });
  }
  const named = annotations.get(`${prefix}package.v1`);
  if (named !== undefined && named !== edits.package) {
    return failed({
      reason: 'bad-bundle',
      detail: `${path} is of package ${String(named)}, product.yaml of package ${edits.package}.`,
      hint: 'Correct `bundle.package` in product.yaml.',
      about: { file: path },
    });
  }
  const required = {
    'mediatype.v1': 'registry+v1',
    'manifests.v1': 'manifests/',
    'metadata.v1': 'metadata/',
    'package.v1': edits.package,
    'channels.v1': channels.join(','),
    'channel.default.v1': channels[0] ?? '',
  };
  for (const [key, value] of Object.entries(required)) annotations.set(`${prefix}${key}`, value);
  const labels: Record<string, string> = {};
  for (const { key, value } of annotations.items) {
    if (isScalar(key) && isScalar(value)) labels[String(key.value)] = String(value.value);
  }
  const edited = document.toString({ lineWidth: 0 });
  if (parse(edited) === null) throw new Error('annotations.yaml was lost');
  return ok({ text: edited, labels });
}

/** OLM keeps an unpacked bundle in a ConfigMap, and so bounds its compressed size (operator-framework/api, bundleloader). */
export const bundleLimit = 1024 * 1024;

function sizeProblems(files: FileTree): Outcome<string[]> {
  const sizes = [...files].map(([path, { content }]) => ({ path, size: compressedSize(content) }));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  sizes.sort((a, b) => b.size - a.size);
  const largest = sizes.slice(0, 3).map(({ path, size }) => `${path} (${size} bytes)`);
  const fact = `The bundle has ${total} bytes compressed, and OLM takes ${bundleLimit}`;
  if (total > bundleLimit) {
    return failed({
      reason: 'bad-bundle',
      detail: `${fact}.`,
      hint: `Make its manifests smaller; the largest are ${largest.join(', ')}.`,
      about: { largest },
    });
  }
  return ok(
    total > bundleLimit * 0.85 ? [`${fact}; the largest files are ${largest.join(', ')}.`] : [],
  );
}

function compressedSize(content: Buffer): number {
  return 4 * Math.ceil(gzipSync(content).length / 3);
}
