import { isMap, isScalar, type YAMLMap } from 'yaml';
import type { Failure, Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';
import { parseOnly } from '../plan/yaml-documents.ts';

const prefix = 'operators.operatorframework.io.bundle.';
const path = 'metadata/annotations.yaml';

/** annotations.yaml as edited, and the image's labels, which are the same: where they differ, OLM believes the file. */
export interface BundleAnnotations {
  readonly text: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The annotations of the first tree that has some, for this package and these channels (the first is the default). */
export function bundleAnnotations(
  trees: readonly FileTree[],
  packageName: string,
  channels: readonly string[],
): Outcome<BundleAnnotations> {
  const text = trees
    .find((tree) => tree.has(path))
    ?.get(path)
    ?.content.toString();
  if (text === undefined) return failed(unusable('is missing'));
  const parsed = parseOnly(text);
  if (!parsed.ok)
    return failed(
      unusable(`cannot be read: line ${parsed.failures[0].line}: ${parsed.failures[0].text}`),
    );
  const { document } = parsed.value;
  const annotations = isMap(document.contents) ? document.get('annotations') : undefined;
  if (!isMap(annotations)) return failed(unusable('has no mapping `annotations`'));
  const named = annotations.get(`${prefix}package.v1`);
  if (named !== undefined && named !== packageName) {
    return failed({
      reason: 'bad-bundle',
      detail: `${path} is of package ${String(named)}, product.yaml of package ${packageName}.`,
      hint: 'Correct `bundle.package` in product.yaml.',
      about: { file: path },
    });
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

function unusable(why: string): Failure {
  return {
    reason: 'bad-bundle',
    detail: `The bundle's ${path} ${why}.`,
    hint: `Check \`bundle.from\` in product.yaml: the folder holds manifests/ and ${path}.`,
    about: { file: path },
  };
}
