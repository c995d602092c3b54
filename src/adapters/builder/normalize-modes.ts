import { chmodSync, lchownSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Gives every file below a folder the mode that git would keep (755 where its owner may execute it, else 644;
 * folders 755), and ourselves as owner. COPY keeps modes and notes owners in the history, so that the umask
 * and user of whoever made the folder would be in the image.
 */
export function normalizeModes(path: string): void {
  const found = lstatSync(path);
  const [uid, gid] = [process.getuid?.() ?? found.uid, process.getgid?.() ?? found.gid];
  if (found.uid !== uid || found.gid !== gid) lchownSync(path, uid, gid);
  if (found.isSymbolicLink()) return;
  const wanted = found.isDirectory() || found.mode & 0o100 ? 0o755 : 0o644;
  if ((found.mode & 0o7777) !== wanted) chmodSync(path, wanted);
  if (!found.isDirectory()) return;
  for (const name of readdirSync(path)) normalizeModes(join(path, name));
}
