import { existsSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../../.tools/bin');

/** Path of a program that scripts/go-tools.sh builds from Go modules; fails where it is missing, for a skipped test proves nothing. */
export function tool(name: 'ko' | 'kustomize' | 'operator-sdk' | 'opm'): string {
  const file = join(folder, name);
  if (existsSync(file)) return file;
  throw new Error(`${name} is missing: \`make tools\` builds it into ${folder}`);
}
