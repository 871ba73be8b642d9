/** How many copies each machine gets, before it is said of which shards. */
import type { Shape } from './bounds.ts';
import type { Room } from './rooms.ts';
import { byPreference, type Standing } from './standing.ts';

/**
 * Copies for each machine, in the machines' order: one after the other to the machine that is preferred most. A zone
 * with a copy of every shard can take no more without sharing. What each choice costs depends only on how full its
 * machine and its zone are, and grows with both; so choosing the cheapest each time ends with the cheapest of all.
 *
 * A machine with fewer nodes is preferred to any with more. So it goes in rounds: in one of them each machine that has
 * room gets one copy, in their order of preference, until nothing is left.
 * @throws Error when they do not fit: see `attainable`
 */
export function loadsOf(
  rooms: readonly Room[],
  { shards, copies }: Shape,
  { nodeBytes, together }: { nodeBytes: number; together: 1 | 2 },
): number[] {
  const loads = rooms.map(() => 0);
  const inZone = new Map<string, number>();
  const isFull = (zone: string): boolean => (inZone.get(zone) ?? 0) >= shards;
  let left = shards * copies;
  for (const sharesZone of [false, true]) {
    let open = rooms.map((_, index) => index).filter((index) => isFull(rooms[index]!.zone) === sharesZone);
    for (let nodes = 0; left > 0 && open.length > 0; nodes += 1) {
      open = open.filter((index) => Math.min(rooms[index]!.fits, shards * together) > nodes);
      const round = open
        .filter((index) => loads[index] === nodes)
        .map((index) => ({ index, standing: standingOf(rooms[index]!, nodes, sharesZone, nodeBytes) }));
      // Of equals the first, and the last the next time round: what is left over does not always go to the first.
      const direction = nodes % 2 === 0 ? 1 : -1;
      round.sort((a, b) => byPreference(a.standing, b.standing) || direction * (a.index - b.index));
      for (const { index } of round) {
        const { zone } = rooms[index]!;
        if (left === 0 || (!sharesZone && isFull(zone))) continue;
        loads[index] = nodes + 1;
        left -= 1;
        inZone.set(zone, (inZone.get(zone) ?? 0) + 1);
      }
      if (!sharesZone) open = open.filter((index) => !isFull(rooms[index]!.zone));
    }
  }
  if (left > 0) throw new Error(`${left} of ${shards * copies} copies have no place`);
  return loads;
}

const standingOf = (
  { reservedBytes, memoryBytes }: Room,
  nodes: number,
  sharesZone: boolean,
  nodeBytes: number,
): Standing => ({
  sharesZone,
  nodes,
  fill: (reservedBytes + (nodes + 1) * nodeBytes) / memoryBytes,
});
