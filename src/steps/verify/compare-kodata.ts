import { demand } from '../../builds/failure.ts';
import { type FileTree, sortedPaths } from '../../plan/file-tree.ts';
import { matchesGlob } from '../../plan/glob.ts';
import { assembleKodata, type ComponentPayload } from '../assemble-kodata.ts';
import type { Difference } from './not-included.ts';

/** A {@link Difference} of whichever image was looked at. */
export type KodataDifference = Omit<Difference, 'place'>;

/** The kodata folder of an image, file by file, against what the payloads ask for. */
export function compareKodata(
  kodata: FileTree,
  payloads: readonly ComponentPayload[],
): KodataDifference[] {
  const differences: KodataDifference[] = [];
  const expected = demand(assembleKodata(payloads));
  for (const path of sortedPaths(expected)) {
    const file = kodata.get(path);
    const wanted = expected.get(path);
    if (wanted !== undefined && file?.content.equals(wanted.content) && file.mode === wanted.mode)
      continue;
    const found = file === undefined ? 'no such file' : 'other content';
    const what = 'a file of the payload is not in the image as it was rendered.';
    differences.push({ component: writerOf(path, payloads), what, expected: path, found });
  }
  for (const path of sortedPaths(kodata)) {
    if (expected.has(path) && !isStale(path, payloads)) continue;
    const what = 'a file that no payload has is in the image; the operator might take it.';
    differences.push({
      component: writerOf(path, payloads),
      what,
      expected: 'no such file',
      found: path,
    });
  }
  return differences;
}

/** In a folder that a component replaces, only its own version and what its rule keeps may be. */
function isStale(path: string, payloads: readonly ComponentPayload[]): boolean {
  return payloads.some(({ metadata: { replaces, version, keep }, files }) => {
    if (replaces === null || !path.startsWith(`${replaces}/`) || files.has(path)) return false;
    if (version !== null && path.startsWith(`${replaces}/${version}/`)) return false;
    return !keep.some((glob) => matchesGlob(path, glob));
  });
}

function writerOf(path: string, payloads: readonly ComponentPayload[]): string | null {
  const owner = payloads.find(
    ({ metadata: { replaces }, files }) =>
      files.has(path) || (replaces !== null && path.startsWith(`${replaces}/`)),
  );
  return owner?.metadata.component ?? null;
}
