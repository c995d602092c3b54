import { gzipSync } from 'node:zlib';
import type { Outcome } from '../builds/failure.ts';
import { failed, ok } from '../builds/result.ts';
import type { FileTree } from '../plan/file-tree.ts';

/** OLM keeps an unpacked bundle in a ConfigMap, and so bounds its compressed size (operator-framework/api, bundleloader). */
export const bundleLimit = 1024 * 1024;

/** Warnings about a bundle's size, or the failure where OLM would not take it. */
export function sizeProblems(files: FileTree): Outcome<string[]> {
  const sizes = [...files].map(([path, { content }]) => ({ path, size: compressedSize(content) }));
  const total = sizes.reduce((sum, { size }) => sum + size, 0);
  sizes.sort((a, b) => b.size - a.size);
  const largest = sizes.slice(0, 3).map(({ path, size }) => `${path} (${size} bytes)`);
  const fact = `The bundle has ${total} bytes compressed, and OLM takes ${bundleLimit}`;
  if (total > bundleLimit) {
    return failed({
      reason: 'bad-bundle',
      detail: `${fact}.`,
      hint: `Make its manifests smaller; the largest are ${largest.join(', ')}.`,
      about: { largest },
    });
  }
  return ok(
    total > bundleLimit * 0.85 ? [`${fact}; the largest files are ${largest.join(', ')}.`] : [],
  );
}

/** As operator-framework/api counts it: each file in gzip and base64. */
function compressedSize(content: Buffer): number {
  return 4 * Math.ceil(gzipSync(content).length / 3);
}
