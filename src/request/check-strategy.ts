import type { Failure } from '../builds/failure.ts';
import type { Strategy } from '../plan/lock.ts';
import type { Product } from '../product/product.ts';
import { pointerTo } from './shape-problems.ts';

/** What of the configuration decides which strategies there are. */
export interface StrategyRules {
  readonly remotes: Readonly<
    Record<string, { readonly push: string; readonly pull?: string | undefined }>
  >;
  readonly 'allow-unconfined': boolean;
}

/** The strategy of a request that names none. */
export function defaultStrategy({ images }: Product): Strategy {
  return Object.keys(images).length === 0 ? 'makefile' : 'images';
}

/** Why a product cannot be built this way, with this configuration. */
export function strategyProblems(
  strategy: Strategy,
  remote: string | undefined,
  product: Product,
  known: StrategyRules,
): Failure[] {
  const problem = (detail: string, hint: string): Failure[] => [
    { reason: 'strategy-not-possible', detail, hint, pointer: pointerTo(['strategy']) },
  ];
  if (strategy === 'images') {
    if (Object.keys(product.images).length > 0) return [];
    return problem(
      `${product.product} describes no images: it can be built by its Makefile alone.`,
      'Leave "strategy" out, or ask for "makefile".',
    );
  }
  if (product.makefile === undefined) {
    return problem(
      `${product.product} names no targets of a Makefile.`,
      'Leave "strategy" out, or describe them in the product file: `makefile: {targets: […]}`.',
    );
  }
  if (!known['allow-unconfined']) {
    return problem(
      'The strategy "makefile" runs code of the refs unconfined, which is not allowed here.',
      'Leave "strategy" out. Who runs the service and trusts everyone whose code is asked for can allow it: `allow-unconfined: true` in the configuration.',
    );
  }
  const { push, pull = push } = known.remotes[remote ?? ''] ?? { push: '' };
  if (pull === push) return [];
  return problem(
    `A cluster pulls from ${remote} under another name (${pull}), and a Makefile knows one name only (REMOTE).`,
    'Name a remote without `pull`, or leave "strategy" out.',
  );
}
