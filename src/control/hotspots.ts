/** Which shards and slots carry how much of a database's load. Pure. */
import { countSlots, SLOT_COUNT, slotsIn, sumOf } from '../domain/slots.ts';
import { TOLERANCE } from '../plan/slots/spread.ts';
import type { HotSlot, ShardLoad } from '../protocol/api.ts';
import type { SlotLoads } from './slot-loads.ts';

/** Of one processor, in a second. */
export const USEC_PER_PERCENT = 10_000;

/** A slot with more than this is more than a shard's share: no spread helps. */
export const mostOfASlot = (total: number, shards: number): number => (total / shards) * (1 + TOLERANCE);

/** All shards, and the slots whose commands take the most processor time, so many at most, the hottest first. */
export function hotspotsIn(
  {
    shards,
    cpu,
    bytes,
    keys,
  }: Pick<SlotLoads, 'cpu' | 'bytes' | 'keys'> & {
    shards: readonly Pick<SlotLoads['shards'][number], 'name' | 'slots'>[];
  },
  most: number,
): { shards: ShardLoad[]; slots: Omit<HotSlot, 'hottestKeys'>[] } {
  const total = cpu.reduce((sum, one) => sum + one, 0);
  const shareOf = (usec: number): number => (total === 0 ? 0 : usec / total);
  const shardOf = new Array<string>(SLOT_COUNT);
  for (const { name, slots } of shards) for (const slot of slotsIn(slots)) shardOf[slot] = name;
  const ofShard = shards.map(({ name, slots }) => {
    const usec = sumOf(cpu, slots);
    return {
      ...{ shard: name, slots: countSlots(slots), keys: sumOf(keys, slots) },
      ...{ share: shareOf(usec), cpuPercent: usec / USEC_PER_PERCENT, bytesPerSecond: sumOf(bytes, slots) },
    };
  });
  const hottest = Array.from({ length: SLOT_COUNT }, (_, slot) => slot)
    .filter((slot) => cpu[slot]! > 0)
    .sort((a, b) => cpu[b]! - cpu[a]!)
    .slice(0, most);
  const slots = hottest.map((slot) => ({
    ...{ slot, shard: shardOf[slot]!, keys: keys[slot]!, bytesPerSecond: bytes[slot]! },
    ...{ share: shareOf(cpu[slot]!), cpuPercent: cpu[slot]! / USEC_PER_PERCENT },
    tooHot: cpu[slot]! > mostOfASlot(total, shards.length),
  }));
  return { shards: ofShard, slots };
}
