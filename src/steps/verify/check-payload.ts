import { demand, type Failure } from '../../builds/failure.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import { sortedPaths, subtree } from '../../plan/file-tree.ts';
import { matchesGlob } from '../../plan/glob.ts';
import { readArtifact } from '../artifact.ts';
import { assembleKodata, type ComponentPayload } from '../assemble-kodata.ts';
import { readLayerFiles, readManifest } from '../image-files.ts';
import { PayloadMetadata } from '../payload-artifact.ts';
import { artifactRepository, keyTag, type StepContext } from '../step.ts';
import type { FoundImage } from './check-images.ts';
import { notIncluded } from './not-included.ts';

/** Reads the payloads of the plan back and checks every operator image against them. */
export async function checkPayloads(
  operators: readonly FoundImage[],
  context: StepContext,
): Promise<{ payloads: ComponentPayload[]; failures: Failure[] }> {
  const { payloads, failures } = await readPayloads(context);
  if (failures.length > 0) return { payloads, failures };
  for (const image of operators) failures.push(...(await checkPayload(image, payloads, context)));
  return { payloads, failures };
}

async function readPayloads({ plan, registry, workdir }: StepContext): Promise<{
  payloads: ComponentPayload[];
  failures: Failure[];
}> {
  const payloads: ComponentPayload[] = [];
  const failures: Failure[] = [];
  for (const step of plan.steps) {
    if (step.kind !== 'payload') continue;
    if (step.key === null) throw new Error(`${step.id} has no key`);
    const reference = `${artifactRepository(plan)}:${keyTag(step.key)}`;
    const artifact = await readArtifact(registry, workdir, reference);
    if (artifact !== undefined) {
      payloads.push({ metadata: PayloadMetadata.parse(artifact.metadata), files: artifact.files });
      continue;
    }
    const what = 'its artifact is not in the registry.';
    const difference = { component: step.component, place: 'payload', what };
    failures.push(notIncluded({ ...difference, expected: reference, found: 'nothing' }));
  }
  return { payloads, failures };
}

/**
 * Checks an operator image: the layers of the image without payload, and on top exactly one data layer that
 * hides the folder below and holds the payloads file by file, and nothing else.
 */
async function checkPayload(
  { name, digest, withoutPayload }: FoundImage,
  payloads: readonly ComponentPayload[],
  { plan, registry }: StepContext,
): Promise<Failure[]> {
  const repository = `${plan.lock.remote.push}/${name}`;
  const image = await readManifest(registry, `${repository}@${digest}`);
  const base = await readManifest(registry, `${repository}@${withoutPayload}`);
  const folder = (plan.product.images[name]?.kodata ?? '').replace(/^\//, '');
  const place = `payload in image/${name}`;
  const top = image?.layers.at(-1);
  const below = image?.layers
    .slice(0, -1)
    .map((layer) => layer.digest)
    .join(' ');
  const expectedBelow = base?.layers.map((layer) => layer.digest).join(' ');
  if (top === undefined || below !== expectedBelow) {
    const what = 'it is not the operator image with one layer on top.';
    const expected = `${base?.layers.length ?? 'no'} layers of the image without payload, and one more`;
    const found = `${image?.layers.length ?? 'no'} layers, or others`;
    return [notIncluded({ component: null, place, what, expected, found })];
  }
  const layer = await readLayerFiles(registry, repository, top);
  return compareKodata(layer, folder, payloads).map((difference) =>
    notIncluded({ ...difference, place }),
  );
}

type KodataDifference = Omit<Parameters<typeof notIncluded>[0], 'place'>;

const opaque = '.wh..wh..opq';

/** What a data layer holds, against what the payloads ask for. */
function compareKodata(
  layer: FileTree,
  folder: string,
  payloads: readonly ComponentPayload[],
): KodataDifference[] {
  const differences: KodataDifference[] = [];
  const kodata = new Map(subtree(layer, folder));
  if (!kodata.delete(opaque)) {
    const what = `the layer does not hide what the layers below have in ${folder}.`;
    differences.push({ component: null, what, expected: `${folder}/${opaque}`, found: 'nothing' });
  }
  const outside = [...layer.keys()].filter((path) => !path.startsWith(`${folder}/`));
  for (const path of outside) {
    differences.push({
      component: null,
      what: 'the layer changes more than the payload.',
      expected: 'nothing',
      found: path,
    });
  }
  const expected = demand(assembleKodata(payloads));
  for (const path of sortedPaths(expected)) {
    const file = kodata.get(path);
    const wanted = expected.get(path);
    if (wanted !== undefined && file?.content.equals(wanted.content) && file.mode === wanted.mode)
      continue;
    const found = file === undefined ? 'no such file' : 'other content';
    const what = 'a file of the payload is not in the image as it was rendered.';
    differences.push({ component: writerOf(path, payloads), what, expected: path, found });
  }
  for (const path of sortedPaths(kodata)) {
    if (expected.has(path) && !isStale(path, payloads)) continue;
    const what = 'a file that no payload has is in the image; the operator might take it.';
    differences.push({
      component: writerOf(path, payloads),
      what,
      expected: 'no such file',
      found: path,
    });
  }
  return differences;
}

/** In a folder that a component replaces, only its own version and what its rule keeps may be. */
function isStale(path: string, payloads: readonly ComponentPayload[]): boolean {
  return payloads.some(({ metadata: { replaces, version, keep }, files }) => {
    if (replaces === null || !path.startsWith(`${replaces}/`) || files.has(path)) return false;
    if (version !== null && path.startsWith(`${replaces}/${version}/`)) return false;
    return !keep.some((glob) => matchesGlob(path, glob));
  });
}

function writerOf(path: string, payloads: readonly ComponentPayload[]): string | null {
  const owner = payloads.find(
    ({ metadata: { replaces }, files }) =>
      files.has(path) || (replaces !== null && path.startsWith(`${replaces}/`)),
  );
  return owner?.metadata.component ?? null;
}
