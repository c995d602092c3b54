import { writeSync } from 'node:fs';

/** Writes a message to a file descriptor, at once: the process may be ended at any moment. */
export function tell(descriptor: number | undefined, message: object): void {
  if (descriptor !== undefined) writeAll(descriptor, Buffer.from(`${JSON.stringify(message)}\n`));
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let rest = bytes; rest.length > 0; ) rest = rest.subarray(writeSync(descriptor, rest));
}
