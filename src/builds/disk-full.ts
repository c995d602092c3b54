import type { Failure } from './failure.ts';

/**
 * The failure that an error is where it says that a disk or a quota is full, else undefined. `folder`: what it was
 * about, where the error names nothing itself.
 */
export function diskFull(error: unknown, folder?: string): Failure | undefined {
  if (!(error instanceof Error) || !meansNoSpace(error.message)) return undefined;
  return noSpace((error as NodeJS.ErrnoException).path ?? folder, error.message);
}

/** The failure of a full disk: where it is, and the words of whoever met it. */
export function noSpace(place: string | undefined, message: string): Failure {
  const where = place === undefined ? 'a disk' : `the disk that holds ${place}`;
  return {
    reason: 'disk-full',
    detail: `There is no space left on ${where}: ${message.trim().replace(/\.$/, '')}.`,
    hint: 'Make space there (builds need at least 5 GiB; `tributary doctor` says how much is free, and mirrors and storage/bases below the state folder may be removed), then ask again: what was finished is kept.',
  };
}

/** Whether the words of a program say that it met a full disk. */
export function meansNoSpace(words: string): boolean {
  return /no space left on device|disk quota exceeded|ENOSPC|EDQUOT/i.test(words);
}
