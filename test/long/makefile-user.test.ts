import { expect, inject, test } from 'vitest';
import { parse, stringify } from 'yaml';
import type { DemoWorld } from '../support/demo-world.ts';
import { leftoversAfter } from '../support/leftovers.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';
import { type Json, serviceRig } from '../support/service.ts';
import { smallProduct } from '../support/small-demo.ts';

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
