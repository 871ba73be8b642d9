/** Hash tags by shard: keys with one of them are in that shard's slots. */
import { keySlot } from '../../src/domain/key-slot.ts';
import type { SlotRange } from '../../src/domain/slots.ts';

const CANDIDATES = 100_000;

/** So many tags for each list of slots. @throws Error when a list has too few slots to find them */
export function tagsOf(shards: readonly (readonly SlotRange[])[], perShard: number): string[][] {
  const found: string[][] = shards.map(() => []);
  for (let number = 0; number < CANDIDATES; number += 1) {
    if (found.every((tags) => tags.length === perShard)) return found;
    const tag = `t${number}`;
    const slot = keySlot(tag);
    const shard = shards.findIndex((slots) => slots.some(([from, to]) => from <= slot && slot <= to));
    if (shard >= 0 && found[shard]!.length < perShard) found[shard]!.push(tag);
  }
  throw new Error(`no ${perShard} tags for each of ${JSON.stringify(shards)}`);
}
