import type { Failure } from '../../builds/failure.ts';
import { payloadProblems, programProblems } from '../../payload/payload-problems.ts';
import type { FileTree } from '../../plan/file-tree.ts';
import type { Locate } from '../../product/place.ts';
import type { Payload, Product } from '../../product/product.ts';
import { type ReadFiles, readInputs } from '../payload-facts.ts';
import { type PreparedComponent, readerOf } from './prepare-component.ts';

/** What product.yaml says of a component and its files do not hold. */
export async function componentProblems(
  prepared: PreparedComponent,
  product: Product,
  locate: Locate,
): Promise<readonly Failure[]> {
  const { component, from } = prepared;
  // An earlier build looked at the same, and there was none.
  if (prepared.recalled !== undefined) return [];
  const { payload, bundle } = product.components[component] ?? {};
  const read = readerOf(prepared);
  const rendered =
    payload === undefined
      ? []
      : payloadProblems(component, payload, await readReached(payload, read), product, locate);
  if (bundle === undefined || from.kind === 'base') return rendered;
  const path = ['components', component, 'bundle', 'run'];
  const files = await read(bundle.run.slice(0, 1));
  return [...rendered, ...programProblems(component, bundle.run, files, path, locate)];
}

/** Of what a command reads, only its program is known. */
async function readReached(payload: Payload, read: ReadFiles): Promise<FileTree> {
  return payload.render === 'command' ? read(payload.run.slice(0, 1)) : readInputs(payload, read);
}
