/** Something that takes room, and can be had again. */
export interface Evictable {
  readonly name: string;
  /** When it was used last, in milliseconds since 1970. */
  readonly lastUsed: number;
}

/**
 * Makes room: removes what was used longest ago until no more than `limit` bytes are taken. `remove` gives false for what is
 * in use, which stays. Gives the names of what went.
 */
export async function evictOldest(
  limit: number,
  place: {
    /** Bytes that all of it takes. */
    size(): Promise<number>;
    entries(): Promise<readonly Evictable[]>;
    remove(name: string): Promise<boolean>;
  },
): Promise<readonly string[]> {
  const evicted: string[] = [];
  if ((await place.size()) <= limit) return evicted;
  const oldestFirst = [...(await place.entries())].sort((a, b) => a.lastUsed - b.lastUsed);
  for (const { name } of oldestFirst) {
    if (!(await place.remove(name))) continue;
    evicted.push(name);
    if ((await place.size()) <= limit) break;
  }
  return evicted;
}
