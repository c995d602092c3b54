import { compileCacheOf, isOwn } from './compile-cache.ts';
import type { Plan, Step, StepOf } from './plan.ts';

/** Ids of the steps that one pod makes, by the name of the unit: `payload`, `manifests`, or `000`, `001`, … */
export type Units = Readonly<Record<string, readonly string[]>>;

/** What is known when the work is shared out. */
export interface UnitFacts {
  /** Steps whose result the registry holds: no pod is started for them. */
  readonly held: ReadonlySet<string>;
  /** Groups whose images need not wait for each other. */
  readonly seeded: ReadonlySet<string>;
  /** Pods that the images of one such group are shared among, at most. */
  readonly shares: number;
}

/** A matrix of Tekton has at most so many tasks. */
const mostUnits = 256;

/**
 * Shares out what has to be made among pods. What runs code of one ref shares no pod with what it could forge: payloads that a command
 * prints are units of their own, and only the product's own images are folded together where there would be too many.
 */
export function planUnits(plan: Plan, facts: UnitFacts): Units {
  const missing = plan.steps.filter(({ id }) => !facts.held.has(id));
  const payloads = missing.filter((step) => step.kind === 'payload');
  const commands = payloads.filter(({ rule }) => rule.render === 'command');
  const images = missing.filter((step) => step.kind === 'image');
  const numbered = fold(
    [...imageUnits(images, plan, facts), ...commands.map((one) => [one])],
    plan,
  );
  const units: Record<string, readonly Step[]> = {
    payload: payloads.filter((step) => !commands.includes(step)),
    manifests: missing.filter((step) => step.kind === 'manifests'),
    ...Object.fromEntries(numbered.map((steps, index) => [unitName(index), steps])),
  };
  return Object.fromEntries(
    Object.entries(units)
      .filter(([, steps]) => steps.length > 0)
      .map(([name, steps]) => [name, steps.map(({ id }) => id)]),
  );
}

/** Names of the units that are numbered. */
export function numberedUnits(units: Units): string[] {
  return Object.keys(units).filter((name) => /^\d/.test(name));
}

function unitName(index: number): string {
  return String(index).padStart(3, '0');
}

/** Images that compile what others of their group compiled before wait for them, in one pod. */
function imageUnits(images: readonly StepOf<'image'>[], plan: Plan, facts: UnitFacts): Step[][] {
  const groups = Map.groupBy(images, ({ group }) => group);
  return [...groups].flatMap(([group, steps]) => {
    const [first] = steps;
    const apart = facts.seeded.has(group) || (first && compileCacheOf(first, plan) === undefined);
    const size = apart ? Math.ceil(steps.length / facts.shares) : steps.length;
    return chunks(steps, size);
  });
}

function chunks<Value>(values: readonly Value[], size: number): Value[][] {
  const count = Math.ceil(values.length / size);
  return Array.from({ length: count }, (_, at) => values.slice(at * size, (at + 1) * size));
}

function fold(units: readonly (readonly Step[])[], plan: Plan): (readonly Step[])[] {
  if (units.length <= mostUnits) return [...units];
  const own = units.filter((steps) => isOwn(steps, plan));
  const foreign = units.filter((steps) => !own.includes(steps));
  const left = mostUnits - foreign.length;
  if (left < 1 || own.length === 0) return deal(units, mostUnits);
  return [...foreign, ...deal(own, left)];
}

/** Deals units out to fewer ones, one after the other. */
function deal(units: readonly (readonly Step[])[], count: number): Step[][] {
  const dealt = Map.groupBy(units.entries(), ([index]) => index % count);
  return [...dealt.values()].map((few) => few.flatMap(([, steps]) => steps));
}
