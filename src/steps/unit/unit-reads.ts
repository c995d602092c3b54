import { possibleSeeds } from '../../plan/compile-cache.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Plan, Step, StepOf } from '../../plan/plan.ts';
import { artifactRepository, keyTag } from '../step.ts';

/** What steps read from outside, as references. */
export interface UnitReads {
  readonly artifacts: readonly string[];
  /** By digest. */
  readonly bases: readonly string[];
  /** Each may be missing. */
  readonly seeds: readonly string[];
}

/** A base image by digest, for a platform. */
export interface PlatformBase {
  readonly reference: string;
  readonly platform: string;
}

/** The base images that steps read. */
export function basesOf(steps: readonly Step[], plan: Plan): readonly PlatformBase[] {
  return readsOf(steps, plan).bases.map((reference) => {
    const of = steps.find(
      (step): step is StepOf<'image'> =>
        step.kind === 'image' && Object.values(step.bases).includes(reference),
    );
    return { reference, platform: of?.platform ?? plan.lock.platforms[0] ?? '' };
  });
}

/** Everything that payloads, images and manifests of a plan read while they are made. */
export function readsOf(steps: readonly Step[], plan: Plan): UnitReads {
  const reads = steps.map((step) => readsOfOne(step, plan));
  const all = (kind: keyof UnitReads) => [...new Set(reads.flatMap((read) => read[kind]))].sort();
  return { artifacts: all('artifacts'), bases: all('bases'), seeds: all('seeds') };
}

function readsOfOne(step: Step, plan: Plan): UnitReads {
  const { components, images } = plan.product;
  const source = (component: ComponentName) => keyed(plan.sources[component]?.key, plan);
  const base = (image: string | undefined) =>
    image === undefined ? [] : [plan.bases[image] ?? ''];
  switch (step.kind) {
    case 'image':
      return {
        artifacts: [
          ...(images[step.image]?.of ?? []).map(source),
          keyed(plan.productSource.key, plan),
        ],
        bases: Object.values(step.bases),
        seeds: possibleSeeds(step, plan),
      };
    case 'payload': {
      const { rule, component } = step;
      const bases = rule.render === 'command' ? base(rule.image) : [];
      return { artifacts: [source(component)], bases, seeds: [] };
    }
    case 'manifests': {
      const bases = base(components[step.component]?.bundle?.image);
      return { artifacts: [source(step.component)], bases, seeds: [] };
    }
    default:
      throw new Error(`${step.id} is made by no unit`);
  }
}

function keyed(key: Plan['productSource']['key'] | undefined, plan: Plan): string {
  if (key === undefined) throw new Error('the plan lacks a source');
  return `${artifactRepository(plan)}:${keyTag(key)}`;
}
