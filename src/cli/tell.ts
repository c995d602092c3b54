import { writeSync } from 'node:fs';

/** Writes a message to a file descriptor, at once: the process may be ended at any moment. */
export function tell(descriptor: number | undefined, message: object): void {
  if (descriptor !== undefined) writeAll(descriptor, `${JSON.stringify(message)}\n`);
}

/** Writes a text to a file descriptor, at once. */
export function writeAll(descriptor: number, text: string): void {
  for (let rest = Buffer.from(text); rest.length > 0; )
    rest = rest.subarray(writeSync(descriptor, rest));
}
