import { expect, inject, test } from 'vitest';
import { leftoversAfter } from '../support/leftovers.ts';
import { ordinaryUser } from '../support/ordinary-user.ts';
import { type RigOptions, serviceRig } from '../support/service.ts';
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
  expect(await leftoversAfter(5, rig.state)).toEqual([]);
  return {
    remote: rig.remote,
    images: build.images.map(({ name, digest }) => [name, digest]),
    bundle: build.bundle.digest,
    index: build.index.digest,
  };
}
