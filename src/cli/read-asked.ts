import { readFile } from 'node:fs/promises';
import type { Lock } from '../plan/lock.ts';
import { parseTag, type Tag } from '../plan/names.ts';
import { lockDigest, tagFor } from '../plan/tag.ts';
import type { ProductText } from '../product/place.ts';
import type { Product } from '../product/product.ts';

/** Files with what was asked, as the engine wrote them; the tag is a text. */
export interface AskedFiles {
  readonly lock: string;
  readonly product: string;
  readonly tag: string | undefined;
}

/** What was asked of `prepare`. */
export interface Asked {
  readonly lock: Lock;
  readonly product: Product;
  /** product.yaml as it was written, where it was kept. */
  readonly text?: ProductText;
  readonly tag: Tag;
}

/** Reads what was asked: our own files, so their types are trusted. */
export async function readAsked(files: AskedFiles): Promise<Asked> {
  const lock = JSON.parse(await readFile(files.lock, 'utf8')) as Lock;
  const product = JSON.parse(await readFile(files.product, 'utf8')) as Pick<
    Asked,
    'product' | 'text'
  >;
  // A tag is longer than the shortest where another lock had that one.
  const tag = parseTag(files.tag ?? '') ?? tagFor(lock.name, lockDigest(lock));
  return { lock, ...product, tag };
}
