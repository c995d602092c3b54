import { afterAll, beforeAll, test } from 'vitest';
import { floodLog } from '../support/hostile/flood-log.ts';
import { places } from '../support/hostile/places.ts';
import { type OpenHostileWorld, openHostileWorld } from '../support/hostile/world.ts';

let world: OpenHostileWorld;
beforeAll(async () => {
  world = await openHostileWorld();
});
afterAll(() => world.close());

test.for(places)('a gigabyte of output of $place leaves a small log', async ({ attack }) => {
  await floodLog(attack, world, 1024);
});
