import type { Failure, Reason } from '../builds/failure.ts';
import { parseYaml } from '../config/parse-yaml.ts';

/** A place in product.yaml or in a file of the productization repository; the line counts from 1. */
export interface Place {
  readonly file: string;
  readonly line?: number;
}

/** product.yaml as it was written: what is found wrong later still names its lines. */
export interface ProductText {
  /** Its name, without folders. */
  readonly file: string;
  readonly text: string;
}

/** Where product.yaml says something: `['images', 'controller', 'context']`. */
export type Locate = (path: readonly PropertyKey[]) => Place;

/** Finds places in the text of a product file; without one (builds of before it was kept), only the file is named. */
export function locateIn(product: ProductText | undefined): Locate {
  if (product === undefined) return () => ({ file: 'product.yaml' });
  const { file, text } = product;
  const yaml = parseYaml(text);
  return (path) => (yaml.ok ? { file, line: yaml.lineOf(path) } : { file });
}

/** `product.yaml:12`. */
export function describePlace({ file, line }: Place): string {
  return line === undefined ? file : `${file}:${line}`;
}

/** A failure that begins with its place: `product.yaml:12: …`. */
export function failureAt(
  place: Place,
  {
    reason,
    detail,
    hint,
    about,
  }: { readonly reason: Reason } & Pick<Failure, 'detail' | 'hint' | 'about'>,
): Failure {
  return {
    ...{ reason, detail: `${describePlace(place)}: ${detail}`, hint },
    about: { ...place, ...about },
  };
}
