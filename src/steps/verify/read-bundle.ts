import { FailureError } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import { bundleOf } from '../../plan/plan.ts';
import { readImageFiles } from '../image-files.ts';
import { parseKubernetesYaml } from '../kubernetes-yaml.ts';
import type { StepContext } from '../step.ts';
import { notIncluded } from './not-included.ts';

/** A bundle as it was read back. */
export interface ReadBundle {
  readonly files: FileTree;
  readonly image: string;
  readonly csvFile: string;
  readonly csv: string;
  readonly name: string;
}

/** The bundle as a cluster finds it: by the build's tag. */
export async function readBundle({ plan, registry, outputs }: StepContext): Promise<ReadBundle> {
  const { image } = plan.product.bundle;
  const reference = `${plan.lock.remote.push}/${image}:${plan.tag}`;
  const made = bundleOf(outputs);
  if (made === undefined) throw new Error('no step made a bundle');
  const found = (await registry.manifest(reference))?.digest;
  if (found !== made.digest) {
    throw new FailureError(
      notIncluded({
        ...{
          component: null,
          place: 'bundle',
          what: `${reference} is not the bundle of this build.`,
        },
        ...{ expected: made.digest, found: found ?? 'no such tag' },
      }),
    );
  }
  const files = await readImageFiles(registry, `${plan.lock.remote.push}/${image}@${found}`);
  const name = `${plan.product.bundle.package}.v${plan.operatorVersion}`;
  const [csvFile, file] =
    [...files].find(([path, { content }]) => isCsv(content.toString(), path)) ?? [];
  const csv = file?.content.toString() ?? '';
  if (csvFile === undefined || !csv.includes(name)) {
    const what = 'it has no CSV of this version.';
    const difference = { component: null, place: 'bundle', what, expected: name };
    throw new FailureError(notIncluded({ ...difference, found: csvFile ?? 'no CSV' }));
  }
  return { files, image: `${plan.lock.remote.pull}/${image}@${found}`, csvFile, csv, name };
}

function isCsv(text: string, path: string): boolean {
  if (!text.includes('ClusterServiceVersion')) return false;
  const manifest = parseKubernetesYaml(text, path);
  return (manifest as { readonly kind?: unknown } | null)?.kind === 'ClusterServiceVersion';
}
