/**
 * The `olm.skipRange` of a build of `base` (`1.7.0`): from the lower bound of the product's own range, else
 * the previous minor version, up to the next patch. It holds the release itself and every other build of it,
 * so that all of them upgrade to the newest one, whichever hash is "higher".
 */
export function skipRange(base: string, own: string | undefined): string {
  const [major = 0, minor = 0, patch = 0] = base.split('.').map(Number);
  const lower = /^\s*>=\s*v?(\d+\.\d+\.\d+[^\s]*)/.exec(own ?? '')?.[1];
  // Before x.0.0 comes an unknown minor: then only what was built of the same base is skipped.
  const previous = minor > 0 ? `${major}.${minor - 1}.0` : `${major}.${minor}.0-0`;
  return `>=${lower ?? previous} <${major}.${minor}.${patch + 1}-0`;
}
