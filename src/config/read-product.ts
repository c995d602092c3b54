import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { demand, FailureError } from '../builds/failure.ts';
import { parseProduct } from '../product/load-product.ts';
import type { ProductText } from '../product/place.ts';
import type { Product } from '../product/product.ts';

/** The product file: the one that is named, else `product.yaml` beside the configuration, if it is there. */
export function findProductFile(
  named: string | undefined,
  configuration: { readonly file: string } | undefined,
): string | undefined {
  if (named !== undefined) return resolve(named);
  if (configuration === undefined) return undefined;
  const beside = join(dirname(configuration.file), 'product.yaml');
  return existsSync(beside) ? beside : undefined;
}

/** A product, and how it was written. */
export interface ReadProduct {
  readonly product: Product;
  readonly text: ProductText;
}

/** Reads a product file. Throws FailureError `bad-product` with everything that is wrong in it. */
export async function readProduct(file: string): Promise<ReadProduct> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new FailureError({
      reason: 'bad-product',
      detail: `The product file ${file} cannot be read: ${error.message}.`,
      hint: 'Name it with --product FILE or TRIBUTARY_PRODUCT, or put product.yaml beside the configuration.',
    });
  });
  return { product: demand(parseProduct(text, file)), text: { file: basename(file), text } };
}
