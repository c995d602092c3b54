import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A disk of a test's own that can be full; only root can have one. */
export interface SmallDisk extends Disposable {
  readonly folder: string;
  /** Takes all space that is left. */
  fill(): void;
  /** Gives all of it back, or so many bytes of what was taken. */
  free(bytes?: number): void;
}

/** Makes a disk of so many MiB. */
export function smallDisk(mebibytes: number): SmallDisk {
  const folder = mkdtempSync(join(tmpdir(), 'tributary-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder]);
  const filler = join(folder, 'filler');
  const free = (bytes?: number) => {
    if (bytes === undefined) rmSync(filler, { force: true });
    else truncateSync(filler, statSync(filler).size - bytes);
  };
  return {
    folder,
    fill: () => fill(filler),
    free,
    [Symbol.dispose]: () => {
      execFileSync('umount', ['--lazy', folder]);
      rmdirSync(folder);
    },
  };
}

function fill(file: string): void {
  const descriptor = openSync(file, 'a');
  for (let size = 2 ** 20; size > 0; ) {
    try {
      if (writeSync(descriptor, Buffer.alloc(size)) < size) size = Math.floor(size / 2);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      size = Math.floor(size / 2);
    }
  }
  closeSync(descriptor);
}
