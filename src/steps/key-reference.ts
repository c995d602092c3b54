import type { Key } from '../plan/names.ts';
import type { Plan, Step } from '../plan/plan.ts';
import { artifactRepository, keyTag } from './step.ts';

/** Where the registry keeps what a step makes; undefined where its key depends on earlier steps. */
export function keyReference(step: Step, plan: Plan): string | undefined {
  return step.key === null ? undefined : `${repositoryOf(step, plan)}:${keyTag(step.key)}`;
}

/** The key of a step that has one, and its reference. */
export function demandKey(step: Step, plan: Plan): { key: Key; reference: string } {
  if (step.key === null) throw new Error(`${step.id} has no key`);
  return { key: step.key, reference: `${repositoryOf(step, plan)}:${keyTag(step.key)}` };
}

/** The repository of what a step makes: the image's own, or that of all artifacts. */
export function repositoryOf(step: Step, plan: Plan): string {
  return step.kind === 'image'
    ? `${plan.lock.remote.push}/${step.image}`
    : artifactRepository(plan);
}
