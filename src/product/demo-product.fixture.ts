import { readFileSync } from 'node:fs';
import { parseProduct } from './load-product.ts';
import type { Product } from './product.ts';

/** Text of the demo's product.yaml: a file that is kept right. */
export function demoProductText(): string {
  return readFileSync(new URL('../../examples/demo/product.yaml', import.meta.url), 'utf8');
}

/** The demo product as parsed. */
export function demoProduct(): Product {
  const parsed = parseProduct(demoProductText(), 'product.yaml');
  if (!parsed.ok) throw new Error(parsed.failures[0].detail);
  return parsed.value;
}
