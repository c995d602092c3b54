import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { FailureError } from '../../builds/failure.ts';

/**
 * A file in a folder that code of a ref may have written: a plain file, reached through folders alone, of at most `limit` bytes; undefined
 * where there is none. Nobody writes there any more: the container that could is over. Throws FailureError `strange-output`.
 */
export async function plainFile(
  folder: string,
  path: readonly string[],
  limit: number,
): Promise<{ readonly path: string; readonly size: number } | undefined> {
  for (const index of path.slice(0, -1).keys()) {
    const found = await look(folder, path.slice(0, index + 1));
    if (found === undefined) return undefined;
    if (!found.isDirectory()) throw strange(path, `${path[index]} is no plain folder`);
  }
  const found = await look(folder, path);
  if (found === undefined) return undefined;
  if (!found.isFile()) throw strange(path, 'it is no plain file');
  if (found.size > limit) throw strange(path, `it is larger than ${limit} bytes`);
  return { path: join(folder, ...path), size: found.size };
}

/** What is at a path, itself where it is a link; undefined where there is nothing. */
function look(folder: string, path: readonly string[]): Promise<Stats | undefined> {
  return lstat(join(folder, ...path)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw unreadable(error, path);
  });
}

/** Code of a ref may have closed what it left to everybody: that is no bug of ours. */
export function unreadable(error: NodeJS.ErrnoException, path: readonly string[]): Error {
  const closed = ['EACCES', 'EPERM', 'ELOOP', 'ENOTDIR', 'ENAMETOOLONG'].includes(error.code ?? '');
  return closed ? strange(path, 'it cannot be read') : error;
}

/** The bytes of such a file. */
export async function readPlainFile(
  folder: string,
  path: readonly string[],
  limit: number,
): Promise<Buffer | undefined> {
  const found = await plainFile(folder, path, limit);
  if (found === undefined) return undefined;
  await using file = await openPlain(found.path, path);
  return file.readFile();
}

/** Opens it for reading; what `run` lets nobody read cannot be. */
async function openPlain(file: string, path: readonly string[]): Promise<FileHandle> {
  return open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(() => {
    throw strange(path, 'it cannot be read');
  });
}

/** What a build left is not as our own programs leave it. */
export function strange(path: readonly string[], why: string): FailureError {
  return new FailureError({
    reason: 'strange-output',
    detail: `What the build left in ${path.join('/')} is not used: ${why}.`,
    hint: 'Code of the ref has probably left its sandbox and changed what is pushed: look at it before you build it again.',
    about: { file: path.join('/') },
  });
}
