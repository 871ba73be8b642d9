/**
 * A second opinion on placement, by trying everything: what can be had on a small fleet, from the words of the rules
 * alone. Shares nothing with the code it judges. For a few machines and shards; each more multiplies the time.
 */

/** A machine that may take nodes, and how many fit. */
export interface TrialMachine {
  name: string;
  zone: string;
  fits: number;
}

/** A shard, by the machines of its copies, the primary's first. */
export type TrialShard = readonly string[];

export interface TrialResult {
  /** The fewest copies that share a zone with another of their shard. */
  sharing: number;
  /** With so few sharing, no machine need hold a majority of the primaries. */
  withoutMajority: boolean;
}

/** All ways to choose so many of them, in order. */
function choices<T>(all: readonly T[], count: number): T[][] {
  if (count === 0) return [[]];
  return all.flatMap((one, index) => choices(all.slice(index + 1), count - 1).map((rest) => [one, ...rest]));
}

/** Copies beyond the first in each zone. */
export const sharingOf = (shards: readonly TrialShard[], zoneOf: (machine: string) => string | undefined): number =>
  shards.reduce((sum, machines) => {
    const zones = machines.map(zoneOf).filter((zone) => zone !== undefined);
    return sum + zones.length - new Set(zones).size;
  }, 0);

/** More than half of at least two. */
export function hasMajority(primaries: readonly string[]): boolean {
  return primaries.some((machine) => {
    const count = primaries.filter((other) => other === machine).length;
    return count > 1 && count * 2 > primaries.length;
  });
}

/** Whether some choice of primaries among these copies leaves no machine with a majority. */
export function canAvoidMajority(shards: readonly (readonly string[])[], chosen: readonly string[] = []): boolean {
  const next = shards[chosen.length];
  if (!next) return !hasMajority(chosen);
  return next.some((machine) => canAvoidMajority(shards, [...chosen, machine]));
}

/** The best of all placements that keep copies apart and memory within its bounds; null when there is none. */
export function tryAll(machines: readonly TrialMachine[], shards: number, copies: number): TrialResult | null {
  const sets = choices(machines, copies);
  let best: TrialResult | null = null;
  const room = new Map(machines.map(({ name, fits }) => [name, fits]));
  const zones = new Map(machines.map(({ name, zone }) => [name, zone]));
  const place = (from: number, placed: readonly string[][]): void => {
    if (placed.length === shards) {
      const sharing = sharingOf(placed, (name) => zones.get(name));
      if (best && (sharing > best.sharing || (sharing === best.sharing && best.withoutMajority))) return;
      const withoutMajority = canAvoidMajority(placed);
      if (!best || sharing < best.sharing || withoutMajority) best = { sharing, withoutMajority };
      return;
    }
    // Shards are alike: it does not matter which of them has which machines.
    for (let index = from; index < sets.length; index += 1) {
      const names = sets[index]!.map(({ name }) => name);
      if (names.some((name) => room.get(name)! < 1)) continue;
      for (const name of names) room.set(name, room.get(name)! - 1);
      place(index, [...placed, names]);
      for (const name of names) room.set(name, room.get(name)! + 1);
    }
  };
  place(0, []);
  return best;
}

/** A wish for one more copy of a shard. */
export interface TrialWish {
  shard: string;
  /** Machines that hold a copy of it, whether that counts or not. */
  holding: readonly string[];
  /** Zones of the copies that count. */
  zones: readonly string[];
}

/**
 * Which of these wishes can be granted together, an earlier one always before a later one, and the fewest that then
 * share a zone. Also the most that could be granted if the order did not matter.
 */
export function grantAll(wishes: readonly TrialWish[], machines: readonly TrialMachine[]) {
  let best = { granted: '', sharing: 0 };
  let most = 0;
  const room = new Map(machines.map(({ name, fits }) => [name, fits]));
  const grant = (index: number, granted: string, sharing: number, made: readonly [string, TrialMachine][]): void => {
    const wish = wishes[index];
    if (!wish) {
      most = Math.max(most, made.length);
      if (granted > best.granted || (granted === best.granted && sharing < best.sharing)) best = { granted, sharing };
      return;
    }
    grant(index + 1, `${granted}0`, sharing, made);
    const mine = made.filter(([shard]) => shard === wish.shard).map(([, machine]) => machine);
    for (const machine of machines) {
      const { name, zone } = machine;
      if (room.get(name)! < 1 || wish.holding.includes(name) || mine.includes(machine)) continue;
      const shares = wish.zones.includes(zone) || mine.some((other) => other.zone === zone);
      room.set(name, room.get(name)! - 1);
      grant(index + 1, `${granted}1`, sharing + Number(shares), [...made, [wish.shard, machine]]);
      room.set(name, room.get(name)! + 1);
    }
  };
  grant(0, '', 0, []);
  return { granted: [...best.granted].map((digit) => digit === '1'), sharing: best.sharing, most };
}
