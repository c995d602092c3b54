import { isMap, isScalar, type YAMLMap } from 'yaml';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';
import { parseOnly } from '../plan/yaml-documents.ts';
import { failureAt, type Place } from '../product/place.ts';

const prefix = 'operators.operatorframework.io.bundle.';
const path = 'metadata/annotations.yaml';

/** annotations.yaml as edited, and the image's labels, which are the same: where they differ, OLM believes the file. */
export interface BundleAnnotations {
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The annotations of the first tree that has some, for this package and these channels (the first is the
 * default). `file` is what people are told.
 */
export function bundleAnnotations(
  trees: readonly FileTree[],
  packageName: string,
  channels: readonly string[],
  file: string,
): Outcome<BundleAnnotations> {
  const text = trees
    .find((tree) => tree.has(path))
    ?.get(path)
    ?.content.toString();
  if (text === undefined) return failed(unusable({ file }, 'it is missing'));
  const parsed = parseOnly(text);
  if (!parsed.ok) {
    const [{ line, text: why }] = parsed.failures;
    return failed(unusable({ file, line }, `it cannot be read: ${why}`));
  }
  const { document, lines } = parsed.value;
  const annotations = isMap(document.contents) ? document.get('annotations') : undefined;
  if (!isMap(annotations))
    return failed(unusable({ file, line: 1 }, 'it has no mapping `annotations`'));
  const named = annotations.get(`${prefix}package.v1`);
  if (named !== undefined && named !== packageName) {
    const node = annotations.get(`${prefix}package.v1`, true);
    const { line } = lines.linePos(isScalar(node) ? (node.range?.[0] ?? 0) : 0);
    return failed(
      failureAt(
        { file, line },
        {
          reason: 'bad-bundle',
          detail: `it is of package ${String(named)}, product.yaml of package ${packageName}.`,
          hint: 'Correct `bundle.package` in product.yaml.',
        },
      ),
    );
  }
  const required = {
    'mediatype.v1': 'registry+v1',
    'manifests.v1': 'manifests/',
    'metadata.v1': 'metadata/',
    'package.v1': packageName,
    'channels.v1': channels.join(','),
    'channel.default.v1': channels[0] ?? '',
  };
  for (const [key, value] of Object.entries(required)) annotations.set(`${prefix}${key}`, value);
  return ok({ text: document.toString({ lineWidth: 0 }), labels: labelsOf(annotations) });
}

function labelsOf(annotations: YAMLMap): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const { key, value } of annotations.items) {
    if (isScalar(key) && isScalar(value)) labels[String(key.value)] = String(value.value);
  }
  return labels;
}

function unusable(place: Place, why: string): Failure {
  return failureAt(place, {
    reason: 'bad-bundle',
    detail: `${why}.`,
    hint: `Check \`bundle.from\` in product.yaml: the folder holds manifests/ and ${path}.`,
  });
}
