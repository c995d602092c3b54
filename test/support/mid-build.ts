import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until the compiler runs in an image of a build's attempt, as its log says; gives the name of the image. */
export async function compiling(
  state: string,
  tag: string,
  attempt: number,
  images: readonly string[],
): Promise<string> {
  for (const started = Date.now(); Date.now() - started < 60_000; await sleep(20)) {
    for (const image of images) {
      const log = join(state, 'logs', tag, String(attempt), `image~${image}.log`);
      if (existsSync(log) && /: RUN (--\S+ )*go build/.test(readFileSync(log, 'utf8')))
        return image;
    }
  }
  throw new Error(
    `no image of ${tag} was compiled within a minute; its logs: ${readdirSync(join(state, 'logs', tag, String(attempt)))}`,
  );
}
