import type { Failure } from '../../builds/failure.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Inclusion, Plan, Source } from '../../plan/plan.ts';
import type { ComponentPayload } from '../assemble-kodata.ts';
import type { CarriedModules } from './carried-modules.ts';
import type { FoundImage } from './check-images.ts';
import { notIncluded } from './not-included.ts';

/** What the checks found, after all of them held. */
export interface Evidence {
  readonly images: readonly FoundImage[];
  readonly payloads: readonly ComponentPayload[];
  /** Images that carry the payload. */
  readonly operators: readonly FoundImage[];
  /** `<image> <component>` → files of the image that name the commit. */
  readonly agreed: ReadonlyMap<string, readonly string[]>;
  readonly modules: CarriedModules;
  /** What was believed and not proven of a component. */
  readonly believed: ReadonlyMap<ComponentName, string>;
}

/** Every component at every place where the bundle reaches it, with how that was proven. */
export function listInclusion(evidence: Evidence, plan: Plan): Inclusion[] {
  const included = [
    ...inImages(evidence, plan),
    ...inPayloads(evidence, plan),
    ...inManifests(plan),
    ...throughMakefile(plan),
  ];
  const honest = included.map((one) => {
    const believed = evidence.believed.get(one.component);
    return believed === undefined ? one : { ...one, proof: `${one.proof} ${believed}` };
  });
  return [...honest, ...carriedElsewhere(included, evidence.modules, plan)];
}

function inImages({ images, payloads, agreed }: Evidence, plan: Plan): Inclusion[] {
  const texts = payloads.flatMap(({ files }) =>
    [...files.values()].map(({ content }) => content.toString('latin1')),
  );
  return images.flatMap((image) => {
    const reference = `${plan.lock.remote.pull}/${image.name}:`;
    const referred = !image.named && texts.some((text) => text.includes(reference));
    // An image that neither CSV nor payload names is built, and yet the bundle does not reach it.
    if (!image.named && !referred) return [];
    const by = image.named ? 'The CSV names' : 'The payload names';
    return (plan.product.images[image.name]?.of ?? []).map((component) => {
      const files = agreed.get(`${image.name} ${component}`) ?? [];
      const said =
        files.length === 0
          ? ''
          : ` ${files.join(' and ')} in the image ${files.length === 1 ? 'says' : 'say'} so too.`;
      const place = `image/${image.name}`;
      if (plan.lock.strategy === 'makefile') {
        const proof = `${by} ${image.digest}, which the Makefile pushed; what it was built from is not provable.${said}`;
        return { ...row(component, place, proof, plan), outcome: 'source-not-provable' as const };
      }
      const proof = `${by} ${image.digest}, the image under the key that comes of the source tree that was read back.${said}`;
      return row(component, place, proof, plan);
    });
  });
}

function inPayloads({ payloads, operators }: Evidence, plan: Plan): Inclusion[] {
  if (operators.every(({ named }) => !named)) return [];
  const names = operators.map(({ name }) => name).join(' and ');
  return payloads.map(({ metadata, files }) => {
    const proof = `${files.size} ${files.size === 1 ? 'file' : 'files'} under the key that comes of the source tree that was read back; kodata of ${names} was read back and is exactly the payloads.`;
    return row(metadata.component as ComponentName, 'payload', proof, plan);
  });
}

function inManifests(plan: Plan): Inclusion[] {
  return plan.steps.flatMap((step) =>
    step.kind === 'manifests'
      ? [
          row(
            step.component,
            'manifests',
            'The manifests of the bundle are those that its generator made, file by file.',
            plan,
          ),
        ]
      : [],
  );
}

/** Components of which no image is described: that their source was there is all that is known. */
function throughMakefile(plan: Plan): Inclusion[] {
  if (plan.lock.strategy !== 'makefile') return [];
  const described = new Set(Object.values(plan.product.images).flatMap(({ of }) => of));
  const others = (Object.keys(plan.sources) as ComponentName[]).filter(
    (component) => !described.has(component),
  );
  const proof = 'The Makefile was given this commit; what it built from it is not provable.';
  return others.map((component) => ({
    ...row(component, 'makefile', proof, plan),
    outcome: 'source-not-provable',
  }));
}

/** A requested component that an image of another one carries as a module: there it is not from the ref. */
function carriedElsewhere(
  included: readonly Inclusion[],
  modules: CarriedModules,
  plan: Plan,
): Inclusion[] {
  return modules
    .filter(({ carried }) => plan.sources[carried]?.requested)
    .flatMap(({ carried, carrier, as }) =>
      included
        .filter(({ component, place }) => component === carrier && place.startsWith('image/'))
        .filter(
          ({ place }) => !included.some((one) => one.component === carried && one.place === place),
        )
        .map(({ place }) => ({
          ...row(
            carried,
            place,
            `${carrier} carries it as ${as}, which the ref does not change.`,
            plan,
          ),
          outcome: 'not-from-your-ref' as const,
        })),
    );
}

function row(component: ComponentName, place: string, proof: string, plan: Plan): Inclusion {
  const { commit, tree, requested } = plan.sources[component] as Source;
  return { component, place, commit, tree, requested, outcome: 'included', proof };
}

/** A component that was asked for and that nothing in the bundle reaches. */
export function notReached(inclusion: readonly Inclusion[], plan: Plan): Failure[] {
  const included = inclusion.filter(({ outcome }) => outcome !== 'not-from-your-ref');
  const reached = new Set(included.map(({ component }) => component));
  return (Object.entries(plan.sources) as [ComponentName, Source][])
    .filter(([component, { requested }]) => requested && !reached.has(component))
    .map(([component, { commit }]) =>
      notIncluded({
        ...{
          component,
          place: 'bundle',
          what: 'it was asked for, and nothing in the bundle holds it.',
        },
        ...{
          expected: `commit ${commit} in an image, the payload or the manifests`,
          found: 'nowhere',
        },
      }),
    );
}
