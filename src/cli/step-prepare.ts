import { toolSet } from '../adapters/builder/tool-set.ts';
import { openGit } from '../adapters/git/git.ts';
import type { Persist } from '../adapters/persist.ts';
import { FailureError, mayPass } from '../builds/failure.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Plan } from '../plan/plan.ts';
import { locateIn } from '../product/place.ts';
import type { PrepareContext } from '../steps/prepare/prepare-context.ts';
import { prepare } from '../steps/prepare/run-prepare.ts';
import type { Asked } from './read-asked.ts';

/** What `prepare` has at hand, but for what is made here of it. */
export type PrepareTurn = Omit<
  PrepareContext,
  'tag' | 'mirrors' | 'madeBy' | 'publish' | 'locate' | 'configuration'
> & { readonly configuration: LoadedConfiguration; readonly persist: Persist };

/** Runs `prepare` on what was asked. */
export async function prepareHere(asked: Asked, turn: PrepareTurn): Promise<Plan> {
  const { lock, product, text, tag } = asked;
  const madeBy = toolSet(turn.builder.tools);
  const more = {
    tag,
    madeBy,
    publish: true,
    exports: turn.exports ?? true,
    locate: locateIn(text),
  };
  for (let chances = 3; ; chances--) {
    const { mirrors } = await openGit(turn.configuration, process.env, turn);
    try {
      return await prepare(lock, product, { ...turn, ...more, mirrors });
    } catch (error) {
      const mayBeLost = chances > 1 && !turn.signal.aborted && !isVerdict(error);
      if (!mayBeLost || !(await mirrors.lost(1000))) throw error;
      turn.progress('the git mirrors were removed meanwhile: what is needed is fetched again');
    } finally {
      // This process goes on with other steps, and nobody may remove a mirror while it is held.
      mirrors.close();
    }
  }
}

/** Whether a failure is one of the code, which no other mirror changes. */
function isVerdict(error: unknown): boolean {
  return error instanceof FailureError && !error.failures.some(mayPass);
}
