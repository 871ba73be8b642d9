/** How many copies each machine gets, before it is said of which shards. */
import type { Shape } from './bounds.ts';
import type { Room } from './rooms.ts';
import { byPreference, type Standing } from './standing.ts';

/**
 * Copies for each machine, in the machines' order: one after the other to the machine that is preferred most. A zone
 * with a copy of every shard can take no more without sharing. What each choice costs depends only on how full its
 * machine and its zone are, and grows with both; so choosing the cheapest each time ends with the cheapest of all.
 * @throws Error when they do not fit: see `attainable`
 */
export function loadsOf(
  rooms: readonly Room[],
  { shards, copies }: Shape,
  { nodeBytes, together }: { nodeBytes: number; together: 1 | 2 },
): number[] {
  const loads = rooms.map(() => 0);
  const inZone = new Map<string, number>();
  const fillWith = ({ reservedBytes, memoryBytes }: Room, nodes: number): number =>
    (reservedBytes + nodes * nodeBytes) / memoryBytes;
  const standings = rooms.map((room): Standing => ({ sharesZone: false, nodes: 0, fill: fillWith(room, 1) }));
  for (let left = shards * copies; left > 0; left -= 1) {
    let best = -1;
    rooms.forEach(({ fits }, index) => {
      if (loads[index]! >= Math.min(fits, shards * together)) return;
      const order = best < 0 ? -1 : byPreference(standings[index]!, standings[best]!);
      // Of equals the first, and the last the next time round: what is left over does not always go to the first.
      const isNext = order === 0 && loads[index]! % 2 === 1;
      if (order < 0 || isNext) best = index;
    });
    if (best < 0) throw new Error(`${left} of ${shards * copies} copies have no place`);
    const room = rooms[best]!;
    const nodes = loads[best]! + 1;
    loads[best] = nodes;
    Object.assign(standings[best]!, { nodes, fill: fillWith(room, nodes + 1) });
    const zoned = (inZone.get(room.zone) ?? 0) + 1;
    inZone.set(room.zone, zoned);
    if (zoned !== shards) continue;
    rooms.forEach(({ zone }, index) => {
      if (zone === room.zone) standings[index]!.sharesZone = true;
    });
  }
  return loads;
}
