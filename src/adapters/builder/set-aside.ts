import { access, rename } from 'node:fs/promises';

/** Renames a database, with what SQLite keeps beside it; gives the new name of the database. */
export async function setAside(file: string, now: Date): Promise<string> {
  const aside = `${file}.damaged-${now.toISOString().replaceAll(/[:.]/g, '-')}`;
  for (const part of ['-wal', '-shm', '']) {
    const exists = await access(`${file}${part}`).then(
      () => true,
      () => false,
    );
    if (exists) await rename(`${file}${part}`, `${aside}${part}`);
  }
  return aside;
}
