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
