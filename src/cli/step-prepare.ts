import { readFile } from 'node:fs/promises';
import { openGit } from '../adapters/git.ts';
import type { LoadedConfiguration } from '../config/load-config.ts';
import type { Lock } from '../plan/lock.ts';
import { parseTag } from '../plan/names.ts';
import type { Plan } from '../plan/plan.ts';
import { lockDigest, tagFor } from '../plan/tag.ts';
import type { Product } from '../product/product.ts';
import { prepare } from '../steps/prepare/run-prepare.ts';
import type { StepTurn } from '../steps/run-steps.ts';
import type { StepContext } from '../steps/step.ts';

/** What `prepare` has at hand: all that a step has, but for the plan that it makes. */
export type PrepareTurn = Omit<StepContext, 'plan' | 'configuration'> &
  StepTurn & { readonly configuration: LoadedConfiguration };

/** Runs `prepare` on the lock and product files that the engine wrote. */
export async function prepareHere(
  files: { readonly lock: string; readonly product: string; readonly tag: string | undefined },
  turn: PrepareTurn,
): Promise<Plan> {
  const lock = JSON.parse(await readFile(files.lock, 'utf8')) as Lock;
  const product = JSON.parse(await readFile(files.product, 'utf8')) as Product;
  // A tag is longer than the shortest where another lock had that one.
  const tag = parseTag(files.tag ?? '') ?? tagFor(lock.name, lockDigest(lock));
  const { mirrors } = await openGit(turn.configuration, process.env, { signal: turn.signal });
  return prepare(lock, product, { ...turn, tag, mirrors, publish: true });
}
