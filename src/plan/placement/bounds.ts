/**
 * How well a database can be placed at all, by counting alone. All nodes of a database are of one size, so a machine is
 * a number: how many of them fit. With `S` shards of `C` copies each:
 *
 * - A machine can hold at most `S` copies that are apart, a zone at most `S` that share it with no copy of their shard.
 *   Whoever chooses for each machine how many copies it gets, within these limits and `S x C` together, can always deal
 *   the shards so (`deal.ts`): a run of `S` machines' places in a row holds each shard once. So sums decide.
 * - Primaries can be chosen so that no machine holds more than half, unless some machines hold every copy of too many
 *   shards (Hall's theorem). One copy each: a machine's copies are its primaries. Two copies: only two machines that hold
 *   everything, with an odd number of shards. Three or more: never.
 */

/** What is to be placed. */
export interface Shape {
  shards: number;
  /** Of each shard, its primary included. */
  copies: number;
}

/** A machine, as far as counting goes. */
export interface Space {
  zone: string;
  fits: number;
}

/** The least that cannot be avoided. */
export interface Attainable {
  /** Copies for which there is no room apart from their like. With any, the rest says nothing. */
  missing: number;
  /** Copies that share a zone with another copy of their shard. */
  sharing: number;
  /** Some machine holds a majority of the primaries. */
  majority: boolean;
}

/** Primaries that a machine may hold before they are a majority: half of them, and a single one always. */
export const mostPrimaries = (shards: number): number => Math.max(1, Math.floor(shards / 2));

/**
 * What the best placement of all comes to.
 * @param together copies of a shard that a machine may hold
 */
export function attainable(spaces: readonly Space[], { shards, copies }: Shape, together: 1 | 2): Attainable {
  const wanted = shards * copies;
  const limit = shards * together;
  const inZones = new Map<string, number>();
  let places = 0;
  let used = 0;
  let primaries = 0;
  for (const { zone, fits } of spaces) {
    const here = Math.min(fits, limit);
    places += here;
    if (here > 0) used += 1;
    primaries += Math.min(here, mostPrimaries(shards));
    inZones.set(zone, Math.min(shards, (inZones.get(zone) ?? 0) + here));
  }
  const alone = [...inZones.values()].reduce((sum, copiesHere) => sum + copiesHere, 0);
  return {
    missing: Math.max(0, wanted - places),
    sharing: Math.max(0, wanted - alone),
    majority: shards > 1 && (copies === 1 ? primaries < shards : used < (copies === 2 && shards % 2 === 1 ? 3 : 2)),
  };
}
