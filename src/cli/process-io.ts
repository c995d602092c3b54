import { writeSync } from 'node:fs';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import type { CliIo } from './cli-io.ts';

/** The real world of the CLI. Writes are synchronous: nothing is lost when the process exits. */
export const processIo: CliIo = {
  out: (piece) => write(1, piece),
  err: (piece) => write(2, piece),
  readInput: () => text(process.stdin),
  terminal: process.stdout.isTTY === true && process.env['TERM'] !== 'dumb',
  size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
  environment: process.env,
  now: () => Date.now(),
  onInterrupt: (callback) => {
    process.on('SIGINT', callback).on('SIGTERM', callback).on('SIGHUP', callback);
    return () => {
      process.off('SIGINT', callback).off('SIGTERM', callback).off('SIGHUP', callback);
    };
  },
  exit: (code) => process.exit(code),
};

function write(descriptor: 1 | 2, piece: string): void {
  let rest = Buffer.from(piece);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(descriptor, rest));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // The reader has gone (`| head`): nobody is left to tell.
      if (code === 'EPIPE') process.exit(0);
      if (code !== 'EAGAIN') throw error;
      // A full pipe that does not block: wait a moment for its reader.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
    }
  }
}
