import { expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DemoWorld } from '../support/demo-world.ts';
import { leftovers, leftoversAfter } from '../support/leftovers.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';
import { type Json, type RigOptions, serviceRig } from '../support/service.ts';
import { smallProduct, smallRequest } from '../support/small-demo.ts';

const isRoot = process.getuid?.() === 0;

test('the whole job runs as an ordinary user, and gives what it gives root, digest for digest', {
  timeout: 300_000,
}, async () => {
  await using person = await ordinaryUser();
  const text = smallProduct(inject('demo'));
  const product = () => text;
  const roots = isRoot ? await buildFromNothing({ product }) : undefined;
  const own = await buildFromNothing({
    product,
    as: person,
    ...(roots && { remote: roots.remote }),
  });
  if (roots !== undefined) expect(own).toEqual(roots);
});

test("the product's own Makefile runs as an ordinary user, and leaves nothing", async () => {
  await using person = await ordinaryUser();
  const options = { product: operatorAlone, as: person };
  await using rig = serviceRig(inject('demo'), { 'allow-unconfined': true }, options);
  const service = await rig.start();
  const request = { name: 'by-make', components: {}, strategy: 'makefile' };
  const build = await service.ended((await service.post('/', request)).body.tag);
  expect(build.failure).toBeNull();
  expect(build.images.map(({ name }) => name)).toEqual([operatorImage]);
  await service.stop();
  expect(await leftoversAfter(5, rig.state)).toEqual([]);
});

const operatorImage = 'openshift-pipelines-operator';

/** The small product without triggers: one image is enough. */
function operatorAlone(world: DemoWorld): string {
  const { components, images, makefile, ...product } = parse(smallProduct(world)) as Json;
  const operator = 'tektoncd/operator';
  return stringify({
    ...product,
    components: { [operator]: components[operator] },
    images: { [operatorImage]: images[operatorImage] },
    makefile: { ...makefile, variables: { ...makefile.variables, COMPONENT_NAMES: 'operator' } },
  });
}

/** Builds on a state folder of its own, using nothing that the remote holds; gives the digests. */
async function buildFromNothing(options: RigOptions) {
  await using rig = serviceRig(inject('demo'), {}, options);
  const service = await rig.start();
  const request = { name: 'ordinary', components: smallRequest, rebuild: true };
  const { status, body } = await service.post('/', request);
  expect(status).toBe(201);
  const build = await service.ended(body.tag);
  expect(build.failure).toBeNull();
  expect(build.state).toBe('succeeded');
  expect(build.images.filter(({ reused }) => reused)).toEqual([]);
  await service.stop();
  expect(leftovers(rig.state)).toEqual([]);
  return {
    remote: rig.remote,
    images: build.images.map(({ name, digest }) => [name, digest]),
    bundle: build.bundle.digest,
    index: build.index.digest,
  };
}
