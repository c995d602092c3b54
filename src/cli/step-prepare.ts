import { openGit } from '../adapters/git.ts';
import type { Persist } from '../adapters/persist.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Plan } from '../plan/plan.ts';
import { prepare } from '../steps/prepare/run-prepare.ts';
import type { StepTurn } from '../steps/run-steps.ts';
import type { StepContext } from '../steps/step.ts';
import { type AskedFiles, readAsked } from './read-asked.ts';

/** What `prepare` has at hand: all that a step has, but for the plan that it makes. */
export type PrepareTurn = Omit<StepContext, 'plan' | 'configuration'> &
  StepTurn & { readonly configuration: LoadedConfiguration; readonly persist: Persist };

/** Runs `prepare` on the lock and product files that the engine wrote. */
export async function prepareHere(files: AskedFiles, turn: PrepareTurn): Promise<Plan> {
  const { lock, product, tag } = await readAsked(files);
  const { mirrors } = await openGit(turn.configuration, process.env, turn);
  return prepare(lock, product, { ...turn, tag, mirrors, publish: true });
}
