/** Which of a shard's copies is its primary: evenly over the machines, and which switchovers bring that about. */
import { mostPrimaries } from './bounds.ts';

/** A shard, by the machines of its copies. */
export interface Seat {
  /** Null when nobody is known to be. */
  primary: string | null;
  /** Machines with a copy that may be the primary, the present one among them or not. */
  copies: readonly string[];
}

/** A change of roles: the copy on `to` becomes the primary of the shard in this place of the list. */
export interface Switch {
  seat: number;
  to: string;
}

/** Primaries by machine; machines without one are not in it. */
export function primariesByMachine(seats: readonly Pick<Seat, 'primary'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { primary } of seats) if (primary !== null) counts.set(primary, (counts.get(primary) ?? 0) + 1);
  return counts;
}

/** The machine that holds more than half of at least two primaries, if there is one. */
export function crowdedMachine(seats: readonly Pick<Seat, 'primary'>[]): { machine: string; count: number } | null {
  for (const [machine, count] of primariesByMachine(seats)) {
    if (count > mostPrimaries(seats.length)) return { machine, count };
  }
  return null;
}

/**
 * The switchovers that take one primary from a machine and end at one that then still has fewer; through others where
 * it must be, the last of the chain first, so that none has more than before in between. Null when there are none.
 */
export const switchesFrom = (seats: readonly Seat[], machine: string): Switch[] | null =>
  chainFrom(tableOf(seats), machine);

/** The seats with primaries as even as the copies allow: no chain of switchovers would make them more so. */
export function levelled(seats: readonly Seat[]): Seat[] {
  const table = tableOf(seatAll(seats));
  for (let changed = true; changed; ) {
    changed = false;
    const settled = new Set<string>();
    const crowdedFirst = [...table.held].sort(([, a], [, b]) => b.size - a.size).map(([machine]) => machine);
    for (const machine of crowdedFirst) {
      for (let chain = chainFrom(table, machine, settled); chain; chain = chainFrom(table, machine, settled)) {
        for (const one of chain) apply(table, one);
        changed = true;
        settled.clear();
      }
    }
  }
  return table.seats;
}

/** The seats, and by machine those whose primary it has. */
interface Table {
  seats: Seat[];
  held: Map<string, Set<number>>;
}

function tableOf(seats: readonly Seat[]): Table {
  const held = new Map<string, Set<number>>();
  seats.forEach(({ primary, copies }, seat) => {
    for (const machine of copies) if (!held.has(machine)) held.set(machine, new Set());
    if (primary === null) return;
    const seatsHere = held.get(primary) ?? new Set();
    held.set(primary, seatsHere.add(seat));
  });
  return { seats: [...seats], held };
}

function apply({ seats, held }: Table, { seat, to }: Switch): void {
  held.get(seats[seat]!.primary!)!.delete(seat);
  held.get(to)!.add(seat);
  seats[seat] = { ...seats[seat]!, primary: to };
}

/** How a machine was reached: by a primary of which other. */
type Reached = ReadonlyMap<string, { seat: number; from: string } | null>;

/**
 * Breadth first, so the shortest.
 * @param settled machines from which there is no chain; those are added that are found to be such
 */
function chainFrom({ seats, held }: Table, machine: string, settled = new Set<string>()): Switch[] | null {
  const goal = (held.get(machine)?.size ?? 0) - 2;
  if (goal < 0) return null;
  const reached = new Map<string, { seat: number; from: string } | null>([[machine, null]]);
  for (const from of reached.keys()) {
    for (const seat of held.get(from)!) {
      for (const to of seats[seat]!.copies) {
        if (reached.has(to) || settled.has(to)) continue;
        reached.set(to, { seat, from });
        if (held.get(to)!.size <= goal) return chainTo(to, reached);
      }
    }
  }
  // From machines with fewer primaries there is even less to reach.
  for (const other of reached.keys()) settled.add(other);
  return null;
}

function chainTo(end: string, reached: Reached): Switch[] {
  const chain: Switch[] = [];
  let to = end;
  for (let step = reached.get(to); step; step = reached.get(to)) {
    chain.push({ seat: step.seat, to });
    to = step.from;
  }
  return chain;
}

/** Every shard with a primary: where none is known, the copy whose machine has the fewest so far. */
function seatAll(seats: readonly Seat[]): Seat[] {
  const counts = primariesByMachine(seats);
  return seats.map((seat) => {
    if (seat.primary !== null || seat.copies.length === 0) return seat;
    const [primary] = [...seat.copies].sort((a, b) => (counts.get(a) ?? 0) - (counts.get(b) ?? 0));
    counts.set(primary!, (counts.get(primary!) ?? 0) + 1);
    return { ...seat, primary: primary! };
  });
}
