import { existsSync, watch } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What a log's reader needs to know about the step that writes it. */
export interface LogWriter {
  /** Whether more may come. */
  mayGrow(): boolean;
  /** Waits until the step's state changes, `wake` of `watch` is called, or `signal`. */
  changed(signal: AbortSignal, watch: (wake: () => void) => () => void): Promise<void>;
}

const pieceSize = 256 * 1024;

/**
 * The text of a log file from its beginning, in pieces; with `follow`, also what is added until the
 * writer is done. The file need not exist yet.
 */
export async function* followLog(
  path: string,
  writer: LogWriter,
  follow: boolean,
  signal: AbortSignal,
): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let offset = 0;
  while (!signal.aborted) {
    // Asked before reading: what is written between the two is read in this round.
    const goesOn = follow && writer.mayGrow();
    for (;;) {
      const piece = await readPiece(path, offset);
      if (piece.length === 0 || signal.aborted) break;
      offset += piece.length;
      yield decoder.decode(piece, { stream: true });
    }
    if (!goesOn) return;
    await writer.changed(signal, (wake) => watchFile(path, offset, wake));
  }
}

async function readPiece(path: string, offset: number): Promise<Buffer> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(pieceSize), 0, pieceSize, offset);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** Calls `wake` once the file has grown beyond `offset` (or, where there is none, when its folder changes). */
function watchFile(path: string, offset: number, wake: () => void): () => void {
  const target = [path, dirname(path)].find((candidate) => existsSync(candidate));
  // Without a folder the step has not started: its first event wakes the reader.
  if (target === undefined) return () => {};
  const watcher = watch(target, { persistent: false }, () => wake());
  watcher.on('error', () => wake());
  // What was added before the watch began makes no noise any more.
  void readPiece(path, offset).then(
    (piece) => piece.length > 0 && wake(),
    () => wake(),
  );
  return () => watcher.close();
}
