import type { ComponentName } from '../plan/names.ts';
import type { Product } from './product.ts';

/** Whether anything is made of a component: a payload, an image or the generated bundle. */
export function isBuilt(component: ComponentName, { components, images }: Product): boolean {
  const { payload, bundle } = components[component] ?? {};
  return (
    payload !== undefined ||
    bundle !== undefined ||
    Object.values(images).some(({ of }) => of.includes(component))
  );
}
