import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { demand, FailureError } from '../builds/failure.ts';
import { parseProduct } from '../product/load-product.ts';
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

/** Reads a product file. Throws FailureError `bad-product` with everything that is wrong in it. */
export async function readProduct(file: string): Promise<Product> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new FailureError({
      reason: 'bad-product',
      detail: `The product file ${file} cannot be read: ${error.message}.`,
      hint: 'Name it with --product FILE or TRIBUTARY_PRODUCT, or put product.yaml beside the configuration.',
    });
  });
  return demand(parseProduct(text, file));
}
