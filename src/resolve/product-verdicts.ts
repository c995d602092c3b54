import type { Failure } from '../builds/failure.ts';
import { canonicalText } from '../plan/canonical-hash.ts';
import type { CommitSha } from '../plan/names.ts';
import { productDigest } from '../product/load-product.ts';
import type { Product } from '../product/product.ts';
import type { AskedOfProduct } from './product-problems.ts';

/** As many as there are releases in use, and more. */
const kept = 50;

/**
 * What was found wrong with productization repositories. The same commit and product.yaml give the same verdict, so
 * each is read whole once, and not for every request.
 */
export class ProductVerdicts {
  readonly #known = new Map<string, Promise<readonly Failure[]>>();

  of(
    commit: CommitSha,
    product: Product,
    { release, strategy, components }: AskedOfProduct,
    judge: () => Promise<readonly Failure[]>,
  ): Promise<readonly Failure[]> {
    const generating = components.filter((name) => product.components[name]?.bundle !== undefined);
    const asked = [release, strategy, generating.length > 0];
    const key = canonicalText([commit, productDigest(product), ...asked]);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const verdict = judge();
    this.#known.set(key, verdict);
    // What could not be read is asked again.
    verdict.catch(() => this.#known.delete(key));
    for (const oldest of [...this.#known.keys()].slice(0, -kept)) this.#known.delete(oldest);
    return verdict;
  }
}
