import type { Lock } from '../../plan/lock.ts';
import type { ComponentName } from '../../plan/names.ts';
import type { Locate, Place } from '../../product/place.ts';
import type { Component, Product } from '../../product/product.ts';
import type { Distgit } from '../../product/read-distgit.ts';

/** Images by their text, with the places that name them. */
type NamedImages = ReadonlyMap<string, readonly [Place, ...Place[]]>;

/** The images that patch scripts run in. */
export function scriptImages(product: Product, locate: Locate): NamedImages {
  const named = new Map<string, readonly [Place, ...Place[]]>();
  for (const [name, { patches }] of entries(product.components)) {
    if (patches?.image === undefined) continue;
    const place = locate(['components', name, 'patches', 'image']);
    const [first = place, ...others] = named.get(patches.image) ?? [];
    named.set(patches.image, named.has(patches.image) ? [first, ...others, place] : [place]);
  }
  return named;
}

/** Every other image from outside that a build of this lock needs. */
export function baseImages(
  lock: Lock,
  product: Product,
  { images }: Distgit,
  locate: Locate,
): NamedImages {
  const named = new Map<string, [Place, ...Place[]]>();
  const add = (image: string, place: Place) => {
    const known = named.get(image);
    if (known === undefined) named.set(image, [place]);
    else known.push(place);
  };
  for (const { path, bases } of Object.values(images))
    for (const { image, line } of bases) add(image, { file: path, line });
  for (const [name, { payload, bundle }] of entries(product.components)) {
    const path = ['components', name];
    if (payload?.render === 'command') add(payload.image, locate([...path, 'payload', 'image']));
    if (bundle !== undefined && lock.components[name]?.kind !== 'base')
      add(bundle.image, locate([...path, 'bundle', 'image']));
  }
  if (product.index.base !== undefined) add(product.index.base, locate(['index', 'base']));
  return named;
}

function entries(components: Product['components']): [ComponentName, Component][] {
  return Object.entries(components) as [ComponentName, Component][];
}
