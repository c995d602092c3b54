import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const sources = join(import.meta.dirname, '../..');

/**
 * What a plan means, and what its steps make of it, depends on our own code and on the container builder: `tools` and a
 * digest of the code, as text. Two processes with the same one may share a plan.
 */
export function toolSet(tools: string): string {
  return `tributary ${code}, ${tools}`;
}

/** What an image leaves out (.containerignore). */
const ofTests = /\.(test|contract|fixture)\.ts$|^engine\/(engine-rig|rig-test)\.ts$/;

/** Of what this process runs: an upgrade on disk makes no other program of one that waits. */
const code = digestCode();

/** Files that are counted, below `src`: in a checkout the same as in an image. */
export function countedFiles(): readonly string[] {
  const names = readdirSync(sources, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /\.(ts|sh)$/.test(name) && !ofTests.test(name)).sort();
}

function digestCode(): string {
  const hash = createHash('sha256');
  for (const name of countedFiles())
    hash.update(`${name}\0`).update(readFileSync(join(sources, name)));
  return hash.digest('hex').slice(0, 12);
}
