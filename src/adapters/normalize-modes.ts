import { chmod, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Gives every file below a folder the mode that git would keep: 755 where its owner may execute it, else
 * 644; folders 755. COPY keeps modes, so that the umask of whoever made the folder would be in the image.
 */
export async function normalizeModes(folder: string): Promise<void> {
  await setMode(folder, 0o755, (await lstat(folder)).mode);
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await normalizeModes(path);
    else if (entry.isFile()) {
      const { mode } = await lstat(path);
      await setMode(path, mode & 0o100 ? 0o755 : 0o644, mode);
    }
  }
}

async function setMode(path: string, wanted: number, mode: number): Promise<void> {
  if ((mode & 0o7777) !== wanted) await chmod(path, wanted);
}
