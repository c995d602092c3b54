import { test } from 'vitest';
import { type Actions, actionsOn, type EngineRig } from './engine-rig.ts';

interface Fixtures<Rig extends EngineRig> extends Actions {
  readonly rig: Rig;
  readonly engine: EngineRig['engine'];
}

/** `test`, each time with a rig of its own and what one does with it. */
export type RigTest = ReturnType<typeof rigTest<EngineRig>>;

/** Makes it. */
export function rigTest<Rig extends EngineRig>(makeRig: () => Promise<Rig>) {
  return test.extend<Fixtures<Rig>>({
    // biome-ignore lint/correctness/noEmptyPattern: vitest reads from the pattern what a fixture needs.
    rig: async ({}, use) => {
      const rig = await makeRig();
      try {
        await use(rig);
      } finally {
        await rig.close();
      }
    },
    engine: ({ rig }, use) => use(rig.engine),
    submit: ({ rig }, use) => use(actionsOn(() => rig).submit),
    events: ({ rig }, use) => use(actionsOn(() => rig).events),
    finished: ({ rig }, use) => use(actionsOn(() => rig).finished),
    until: ({ rig }, use) => use(actionsOn(() => rig).until),
    runToEnd: ({ rig }, use) => use(actionsOn(() => rig).runToEnd),
  });
}
