import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type FileTree, type TreeFile, textFile } from '../../plan/file-tree.ts';

/** Of a longer log, the end is kept in the record. */
const longest = 4 * 1024 * 1024;

/** The logs of an attempt's steps as `<step>.log.gz`; none where the folder is not there. */
export async function readLogs(folder: string): Promise<FileTree> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const files = new Map<string, TreeFile>();
  for (const name of names.filter((one) => one.endsWith('.log')).sort()) {
    files.set(`${name}.gz`, textFile(gzipSync(tail(await readFile(join(folder, name))))));
  }
  return files;
}

function tail(log: Buffer): Buffer {
  if (log.length <= longest) return log;
  const notice = Buffer.from(`[the first ${log.length - longest} bytes are left out]\n`);
  return Buffer.concat([notice, log.subarray(log.length - longest)]);
}
