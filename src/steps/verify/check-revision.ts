import { posix } from 'node:path';
import { unpackTar } from 'modern-tar';
import type { Failure } from '../../builds/failure.ts';
import type { ComponentName, Digest } from '../../plan/names.ts';
import type { StepOf } from '../../plan/plan.ts';
import { readManifest } from '../image-files.ts';
import { uncompressed } from '../oci-layout.ts';
import type { Registry, StepContext } from '../step.ts';
import type { FoundImage } from './check-images.ts';
import { notIncluded } from './not-included.ts';

/** What the files of images say about the commits that they were built from. */
export interface Revisions {
  readonly failures: readonly Failure[];
  /** `<image> <component>` → files that named the commit. */
  readonly agreed: ReadonlyMap<string, readonly string[]>;
}

/** Reads what each image's own build left behind (`verify.revision` of product.yaml). */
export async function checkRevisions(
  images: readonly FoundImage[],
  context: StepContext,
): Promise<Revisions> {
  const failures: Failure[] = [];
  const agreed = new Map<string, readonly string[]>();
  for (const image of images) {
    const step = context.plan.steps.find(({ id }) => id === `image/${image.name}`);
    if (step?.kind !== 'image') throw new Error(`no step makes ${image.name}`);
    for (const component of context.plan.product.images[image.name]?.of ?? []) {
      const said = await checkRevision(step, image, component, context);
      failures.push(...said.failures);
      agreed.set(`${image.name} ${component}`, said.agreed);
    }
  }
  return { failures, agreed };
}

/**
 * Only where the Dockerfile consumes the commit: of the other images, an equal tree of another commit is
 * rightly a hit.
 */
async function checkRevision(
  step: StepOf<'image'>,
  image: FoundImage,
  component: ComponentName,
  { plan, registry }: StepContext,
): Promise<{ failures: Failure[]; agreed: string[] }> {
  const commit = plan.sources[component]?.commit;
  if (commit === undefined || step.args[commitArgument(component)] === undefined) {
    return { failures: [], agreed: [] };
  }
  const failures: Failure[] = [];
  const agreed: string[] = [];
  // The payload's layer hides what the operator's own build left in its folder.
  const digest = image.withoutPayload ?? image.digest;
  const repository = `${plan.lock.remote.push}/${image.name}`;
  for (const path of plan.product.verify.revision.map((rule) => rule.replace(/^file:/, ''))) {
    const content = await readImageFile(registry, repository, digest, path);
    if (content === undefined) continue;
    const found = content.toString().trim();
    if (found.split(/\s+/).includes(commit)) agreed.push(path);
    else {
      const what = `${path} in the image names another commit.`;
      const place = `image/${image.name}`;
      const shown = found.slice(0, 80) || 'an empty file';
      failures.push(notIncluded({ component, place, what, expected: commit, found: shown }));
    }
  }
  return { failures, agreed };
}

function commitArgument(component: ComponentName): string {
  const repository = component.slice(component.indexOf('/') + 1);
  return `CI_${repository.toUpperCase().replaceAll('-', '_')}_UPSTREAM_COMMIT`;
}

const layerLimit = 2 * 1024 ** 3;

/** A file of an image, as a container would see it; undefined where there is none. Links are not followed. */
export async function readImageFile(
  registry: Registry,
  repository: string,
  digest: Digest,
  path: string,
): Promise<Buffer | undefined> {
  const manifest = await readManifest(registry, `${repository}@${digest}`);
  const wanted = normal(path);
  for (const layer of [...(manifest?.layers ?? [])].reverse()) {
    const packed = await registry.blob(repository, layer.digest, layerLimit);
    let hidden = false;
    const entries = await unpackTar(uncompressed(packed, layerLimit), {
      filter: ({ name }) => {
        hidden ||= hides(normal(name), wanted);
        return normal(name) === wanted;
      },
    });
    const entry = entries.at(-1);
    if (entry?.data !== undefined) return Buffer.from(entry.data);
    if (entry !== undefined || hidden) return undefined;
  }
  return undefined;
}

function normal(name: string): string {
  return posix.normalize(`/${name}`).replace(/\/$/, '');
}

/** Whether an entry is a whiteout of the path or of a folder above it. */
function hides(name: string, path: string): boolean {
  const file = posix.basename(name);
  if (!file.startsWith('.wh.')) return false;
  const folder = posix.dirname(name);
  const target = file === '.wh..wh..opq' ? folder : posix.join(folder, file.slice('.wh.'.length));
  return path === target || path.startsWith(target === '/' ? '/' : `${target}/`);
}
