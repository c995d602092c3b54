import { demand, FailureError } from '../../builds/failure.ts';
import { type FileTree, isInnerPath, placedIn, textFile } from '../../plan/file-tree.ts';
import type { ComponentName, Digest } from '../../plan/names.ts';
import { operatorPayloadKey } from '../../plan/operator-payload-key.ts';
import type { StepOf } from '../../plan/plan.ts';
import { readArtifact } from '../artifact.ts';
import { assembleKodata, type ComponentPayload } from '../assemble-kodata.ts';
import { publishImage } from '../data-image.ts';
import { gzipLayer, writeLayout } from '../oci-layout.ts';
import { PayloadMetadata } from '../payload-artifact.ts';
import { artifactRepository, type StepContext, type StepProgram } from '../step.ts';
import { addLayer } from './add-layer.ts';
import { readBaseImage } from './read-base-image.ts';

/**
 * Puts the payload of all components into an operator image, as one data layer on top that hides the
 * kodata folder below. No container runs; the digest follows from the inputs alone.
 */
export const runOperatorPayload: StepProgram<'operator-payload'> = async (step, context) => {
  const { plan, outputs } = context;
  const image = digestOf(`image/${step.image}`, outputs);
  const payloads = Object.fromEntries(
    componentsOf(step).map((component) => [component, digestOf(`payload/${component}`, outputs)]),
  );
  const key = operatorPayloadKey({ image, payloads, kodata: step.kodata });
  const base = `${plan.lock.remote.push}/${step.image}@${image}`;
  const made = await publishImage(context, step.image, key, (folder) =>
    makeImage(folder, step, base, payloads, context),
  );
  return { kind: 'operator-payload', ...made };
};

function componentsOf({ needs }: StepOf<'operator-payload'>): ComponentName[] {
  const prefix = 'payload/';
  return needs
    .filter((id) => id.startsWith(prefix))
    .map((id) => id.slice(prefix.length) as ComponentName)
    .sort();
}

function digestOf(id: string, outputs: StepContext['outputs']): Digest {
  const output = outputs[id];
  if (output === undefined || !('digest' in output)) throw new Error(`no output of ${id}`);
  return output.digest;
}

async function makeImage(
  folder: string,
  step: StepOf<'operator-payload'>,
  base: string,
  payloads: Readonly<Record<ComponentName, Digest>>,
  context: StepContext,
): Promise<void> {
  const contributions = await readPayloads(payloads, context);
  const kodata = demand(assembleKodata(contributions));
  context.log(`${step.kodata}: ${kodata.size} file(s) of ${contributions.length} component(s)`);
  const layer = await gzipLayer(kodataLayer(step.kodata, kodata));
  const { manifest, config } = await readBaseImage(base, context);
  await writeLayout(folder, addLayer(manifest, config, layer, `payload in ${step.kodata}`));
}

async function readPayloads(
  payloads: Readonly<Record<ComponentName, Digest>>,
  { plan, registry }: StepContext,
): Promise<ComponentPayload[]> {
  const found: ComponentPayload[] = [];
  for (const digest of Object.values<Digest>(payloads)) {
    const reference = `${artifactRepository(plan)}@${digest}`;
    const artifact = await readArtifact(registry, reference);
    if (artifact === undefined) throw gone(reference, plan.tag);
    found.push({ metadata: PayloadMetadata.parse(artifact.metadata), files: artifact.files });
  }
  return found;
}

/**
 * The files of the data layer: the payload, and the mark that hides everything that the layers below have in
 * this folder (https://github.com/opencontainers/image-spec/blob/main/layer.md#opaque-whiteout).
 */
function kodataLayer(kodata: string, files: FileTree): FileTree {
  const folder = kodata.replace(/^\//, '');
  if (!isInnerPath(folder)) throw badFolder(kodata);
  const opaque = '.wh..wh..opq';
  return placedIn(folder, new Map([[opaque, textFile('')], ...files]));
}

function gone(reference: string, tag: string): FailureError {
  return new FailureError({
    reason: 'registry-unavailable',
    detail: `A payload is not in the registry any more: ${reference}.`,
    hint: `Someone removed it. Run the build again: \`tributary rerun ${tag}\`.`,
    about: { reference },
  });
}

function badFolder(kodata: string): FailureError {
  return new FailureError({
    reason: 'bad-product',
    detail: `${kodata} is not a folder of an image.`,
    hint: 'Write an absolute path without `.` and `..` as `kodata` of the image in product.yaml, such as `/kodata`.',
    about: { kodata },
  });
}
