import type { YAMLMap } from 'yaml';
import type { Place } from '../product/place.ts';
import type { ProductImage } from '../product/product.ts';
import {
  type CsvContainer,
  type CsvDocument,
  environment,
  setText,
  textOf,
  textsOf,
} from './csv-document.ts';

/** A place of the CSV that names an image. */
export interface ImagePlace {
  readonly kind: 'container' | 'env' | 'related' | 'argument';
  /** Name of the container, variable or entry. */
  readonly name: string;
  /** For people: `env IMAGE_X of container lifecycle in deployment operator`. */
  readonly where: string;
  /** Line of the CSV. */
  readonly place: Place;
  readonly container: CsvContainer | null;
  /** Empty where a variable has no value of its own. */
  readonly reference: string;
  /** Writes another reference; absent where Tributary does not edit (arguments). */
  readonly write?: (reference: string) => void;
}

/**
 * Every place of the CSV that names an image: containers, relatedImages, variables that are mapped, are
 * called IMAGE_* or RELATED_IMAGE_*, or hold a digest, and arguments that hold a digest.
 */
export function imagePlaces(csv: CsvDocument, mapped: ReadonlySet<string>): ImagePlace[] {
  const places: ImagePlace[] = [];
  for (const container of csv.containers()) {
    const home = `container ${container.name} in deployment ${container.deployment}`;
    places.push({
      kind: 'container',
      name: container.name,
      where: home,
      place: csv.placeOf(container.node),
      container,
      reference: textOf(container.node, 'image') ?? '',
      write: (reference) => setText(container.node, 'image', reference),
    });
    for (const node of environment(container)) {
      const place = envPlace(node, csv.placeOf(node), container, home, mapped);
      if (place !== undefined) places.push(place);
    }
    for (const argument of [
      ...textsOf(container.node, 'command'),
      ...textsOf(container.node, 'args'),
    ]) {
      const reference = digestReference.exec(argument)?.[0];
      if (reference === undefined) continue;
      places.push({
        ...{ kind: 'argument', name: argument, container, reference },
        where: `an argument of ${home}`,
        place: csv.placeOf(container.node),
      });
    }
  }
  for (const node of csv.relatedImages()) {
    const name = textOf(node, 'name') ?? '';
    places.push({
      kind: 'related',
      name,
      where: `relatedImages ${name}`,
      place: csv.placeOf(node),
      container: null,
      reference: textOf(node, 'image') ?? '',
      write: (reference) => setText(node, 'image', reference),
    });
  }
  return places;
}

function envPlace(
  node: YAMLMap,
  place: Place,
  container: CsvContainer,
  home: string,
  mapped: ReadonlySet<string>,
): ImagePlace | undefined {
  const name = textOf(node, 'name') ?? '';
  const reference = textOf(node, 'value') ?? '';
  const named = /^(RELATED_)?IMAGE_/.test(name) && /[/@:]/.test(reference);
  if (!mapped.has(name) && !named && !digestReference.test(reference)) return undefined;
  return {
    kind: 'env',
    name,
    where: `env ${name} of ${home}`,
    place,
    container,
    reference,
    write: (value) => {
      setText(node, 'value', value);
      node.delete('valueFrom');
    },
  };
}

const digestReference = /[a-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}\b/;

/** Whether product.yaml says that this place holds the image. */
export function isMapped(place: ImagePlace, { csv }: Pick<ProductImage, 'csv'>): boolean {
  if (place.kind === 'container') {
    const here = csv.deployment === undefined || csv.deployment === place.container?.deployment;
    return here && (csv.containers.includes('*') || csv.containers.includes(place.name));
  }
  if (place.kind === 'env') return csv.env.includes(place.name);
  return (
    place.kind === 'related' && (csv.env.includes(place.name) || csv.related.includes(place.name))
  );
}

/** The last segment of a reference's repository: `r/x/controller:1@sha256:…` gives `controller`. */
export function repositoryName(reference: string): string {
  const repository = reference.replace(/@.*$/, '');
  return repository.slice(repository.lastIndexOf('/') + 1).replace(/:.*$/, '');
}
