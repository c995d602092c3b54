import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const recipe = readFileSync(join(import.meta.dirname, '../../examples/base-images.sh'));

/** Making base images takes half a minute: storage of a registry that holds nothing else is kept here until their recipe changes. */
export const baseRegistry = join(
  import.meta.dirname,
  `../../.demo/base-registry-${createHash('sha256').update(recipe).digest('hex').slice(0, 8)}`,
);
