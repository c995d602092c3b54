import type { Failure } from '../../builds/failure.ts';
import type { Lock } from '../../plan/lock.ts';
import { failureAt } from '../../product/place.ts';
import type { Product } from '../../product/product.ts';
import type { PrepareContext } from './prepare-context.ts';

/** Images whose build needs the network where the configuration does not allow it; a Makefile always has it. */
export function networkProblems(
  { strategy }: Lock,
  product: Product,
  { configuration, locate }: PrepareContext,
): Failure[] {
  if (strategy === 'makefile') return [];
  return Object.entries(product.images).flatMap(([name, { network }]) => {
    if (!network || configuration.network.includes(name)) return [];
    const failure = {
      reason: 'bad-configuration',
      detail: `the build of ${name} needs the network, which this machine does not allow.`,
      hint: `Add the image to \`network\` in the configuration: \`network: [${name}]\`; or vendor what it downloads and drop \`network: true\` from product.yaml.`,
      about: { image: name },
    } as const;
    return [failureAt(locate(['images', name, 'network']), failure)];
  });
}
