/** Reads back through a plain client what was written. */
import type { Redis } from 'ioredis';

/** Keys of one MGET. */
const READ_AT_ONCE = 500;

/** The keys whose value is not the expected one. */
export async function keysLost(client: Redis, expected: ReadonlyMap<string, string>): Promise<string[]> {
  const keys = [...expected.keys()];
  const lost: string[] = [];
  for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
    const part = keys.slice(at, at + READ_AT_ONCE);
    const values = await client.mget(part);
    lost.push(...part.filter((key, index) => values[index] !== expected.get(key)));
  }
  return lost;
}

/** Reads every key of one database, all of texts, and counts those whose value in the other is not the same. */
export async function keysUnlike(one: Redis, other: Redis): Promise<{ keys: number; unlike: number }> {
  const keys = new Set<string>(); // a scan may tell a key twice
  for (let cursor = '0'; ; ) {
    const [next, found] = await one.scan(cursor, 'COUNT', READ_AT_ONCE);
    for (const key of found) keys.add(key);
    if (next === '0') break;
    cursor = next;
  }
  const all = [...keys];
  let unlike = 0;
  for (let at = 0; at < all.length; at += READ_AT_ONCE) {
    const part = all.slice(at, at + READ_AT_ONCE);
    const [here, there] = await Promise.all([one.mget(part), other.mget(part)]);
    unlike += part.filter((_, index) => here[index] === null || here[index] !== there[index]).length;
  }
  return { keys: all.length, unlike };
}
