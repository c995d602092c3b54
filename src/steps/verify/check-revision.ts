import pLimit from 'p-limit';
import type { Failure } from '../../builds/failure.ts';
import type { ComponentName, ImageName } from '../../plan/names.ts';
import type { Plan } from '../../plan/plan.ts';
import type { StepContext } from '../step.ts';
import type { FoundImage } from './check-images.ts';
import { notIncluded } from './not-included.ts';
import { readImageFile } from './read-image-file.ts';

/** What the files of images say about the commits that they were built from. */
export interface Revisions {
  readonly failures: readonly Failure[];
  /** `<image> <component>` → files that named the commit. */
  readonly agreed: ReadonlyMap<string, readonly string[]>;
}

/** Files of images are held in memory. */
const imagesAtOnce = 2;

/** Reads what each image's own build left behind (`verify.revision` of product.yaml). */
export async function checkRevisions(
  images: readonly FoundImage[],
  context: StepContext,
): Promise<Revisions> {
  const failures: Failure[] = [];
  const agreed = new Map<string, readonly string[]>();
  const places = images.flatMap((image) =>
    (context.plan.product.images[image.name]?.of ?? []).map((component) => ({ image, component })),
  );
  const looked = pLimit(imagesAtOnce).map(places, async ({ image, component }) => {
    const said = await checkRevision(image, component, context);
    return { name: `${image.name} ${component}`, ...said };
  });
  for (const said of await looked) {
    failures.push(...said.failures);
    agreed.set(said.name, said.agreed);
  }
  return { failures, agreed };
}

/**
 * Only where the Dockerfile consumes the commit: of the other images, an equal tree of another commit is
 * rightly a hit.
 */
async function checkRevision(
  image: FoundImage,
  component: ComponentName,
  { plan, registry, remember }: StepContext,
): Promise<{ failures: Failure[]; agreed: string[] }> {
  const commit = plan.sources[component]?.commit;
  if (commit === undefined || !consumesCommit(image.name, component, plan)) {
    return { failures: [], agreed: [] };
  }
  const failures: Failure[] = [];
  const agreed: string[] = [];
  // The payload's layer hides what the operator's own build left in its folder.
  const digest = image.withoutPayload ?? image.digest;
  const repository = `${plan.lock.remote.push}/${image.name}`;
  for (const path of plan.product.verify.revision.map((rule) => rule.replace(/^file:/, ''))) {
    // The digest is that of the image as it is now; what it stands for cannot change.
    const content = await remember(`file ${path} of image ${digest}`, () =>
      readImageFile(registry, repository, digest, path),
    );
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

/** A Makefile was given this commit alone, whether or not a Dockerfile asks for it. */
function consumesCommit(image: ImageName, component: ComponentName, plan: Plan): boolean {
  if (plan.lock.strategy === 'makefile') return plan.product.images[image]?.of.length === 1;
  const step = plan.steps.find(({ id }) => id === `image/${image}`);
  if (step?.kind !== 'image') throw new Error(`no step makes ${image}`);
  return step.args[commitArgument(component)] !== undefined;
}

function commitArgument(component: ComponentName): string {
  const repository = component.slice(component.indexOf('/') + 1);
  return `CI_${repository.toUpperCase().replaceAll('-', '_')}_UPSTREAM_COMMIT`;
}
