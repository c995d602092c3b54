import { join } from 'node:path';
import { demand, FailureError } from '../../builds/failure.ts';
import { assembleBundle } from '../../bundle/assemble-bundle.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { Digest, ImageName } from '../../plan/names.ts';
import { sourcesAtPlaces } from '../../product/upstream-sources.ts';
import type { ComponentPayload } from '../assemble-kodata.ts';
import { demandArtifact } from '../demand-artifact.ts';
import { exportedPath } from '../exported-commit.ts';
import { gatherBundle, productFiles } from '../gather-bundle.ts';
import { PayloadMetadata } from '../payload-artifact.ts';
import { readProductFiles } from '../product-files.ts';
import type { StepContext, StepProgram } from '../step.ts';
import { writeTree } from '../write-tree.ts';
import { composeCheckout } from './compose-checkout.ts';
import { componentsFile, renderComponents } from './render-components.ts';

/**
 * Runs the product's own targets on the sources, payload and CSV of this build. They run code of the refs
 * and push with the remote's credential in one process: what the configuration has to allow.
 */
export const runMakefile: StepProgram<'makefile'> = async (_step, context) => {
  const { plan, workdir, make, log, progress, signal } = context;
  const { makefile } = plan.product;
  if (makefile === undefined) throw new Error('the plan has no targets');
  demandAllowed(context);
  progress('composing the checkout');
  const product = await productFiles(context);
  const bundle = demand(assembleBundle(await gatherBundle(context, null)));
  const [folder, payload] = [join(workdir, 'product'), join(workdir, 'payload')];
  await writeTree(composeCheckout(product, plan, bundle), folder);
  await writeTree(renderComponents(await readPayloads(context)), payload);

  const { remote } = plan.lock;
  const own = Object.entries(makefile.variables).map(([name, value]) => [
    name,
    value.replaceAll('{components}', join(payload, componentsFile)),
  ]);
  const variables = { ...Object.fromEntries(own), REMOTE: remote.push, TAG: plan.tag };
  const repositories = exportedRepositories(product, context);
  await make.run(
    {
      folder,
      targets: makefile.targets,
      variables,
      repositories,
      tag: plan.tag,
      remote: remote.name,
    },
    { log, progress },
    signal,
  );
  return readPushed(context);
};

/** It was asked for when the request was read; the configuration may have changed since. */
function demandAllowed({ configuration }: StepContext): void {
  if (configuration['allow-unconfined']) return;
  throw new FailureError({
    reason: 'strategy-not-possible',
    detail: 'The strategy "makefile" runs code of the refs unconfined, which is not allowed here.',
    hint: 'Ask without "strategy"; or allow it: `allow-unconfined: true` in the configuration.',
  });
}

async function readPayloads(context: StepContext): Promise<ComponentPayload[]> {
  const payloads: ComponentPayload[] = [];
  for (const step of context.plan.steps) {
    if (step.kind !== 'payload') continue;
    const output = context.outputs[step.id];
    if (output?.kind !== 'payload') throw new Error(`no output of ${step.id}`);
    const what = `the payload of ${step.component}`;
    const { metadata, files } = await demandArtifact(context, `@${output.digest}`, what);
    payloads.push({ metadata: PayloadMetadata.parse(metadata), files });
  }
  return payloads;
}

/** Every URL that upstream_sources.yaml names for a component: its code comes from what prepare exported. */
function exportedRepositories(files: FileTree, { plan }: StepContext): Record<string, string> {
  const { pinned } = readProductFiles(files, plan.product, 'the productization repository');
  const entries = Object.entries(demand(sourcesAtPlaces(plan.upstreamSources, pinned)));
  return Object.fromEntries(
    entries.flatMap(([component, { url }]) => {
      // A rewrite is of a prefix: with and without `.git`, that nothing is left of the URL.
      const bare = url.replace(/\/+$/, '').replace(/\.git$/, '');
      return [url, bare, `${bare}.git`].map((one) => [one, exportedPath(component)]);
    }),
  );
}

/** What lies in the remote under the build's tag now. */
async function readPushed({ plan, registry }: StepContext) {
  const digestOf = async (name: string) =>
    (await registry.manifest(`${plan.lock.remote.push}/${name}:${plan.tag}`))?.digest;
  const bundle = plan.product.bundle.image;
  const digest = await digestOf(bundle);
  if (digest === undefined) {
    const reference = `${plan.lock.remote.push}/${bundle}:${plan.tag}`;
    throw new FailureError({
      reason: 'target-failed',
      detail: `All targets ended well, and there is no bundle ${reference}.`,
      hint: 'The last of `makefile.targets` in product.yaml has to push it to $(REMOTE) under $(TAG), by the name that `bundle.image` says.',
      about: { reference },
    });
  }
  const images: Record<ImageName, Digest> = {};
  for (const name of Object.keys(plan.product.images) as ImageName[]) {
    const pushed = await digestOf(name);
    if (pushed !== undefined) images[name] = pushed;
  }
  const image = `${plan.lock.remote.pull}/${bundle}@${digest}`;
  return { kind: 'makefile', digest, image, images } as const;
}
