/** Which shards the copies are of that the machines get: always possible once the numbers are right. */
import type { Shape } from './bounds.ts';

/** Of machines that are as good, so many are looked at for the one whose shards meet this one's least. */
const MAX_LOOKS = 32;

interface Seats {
  /** Copies that the zone has still to get. */
  left: number;
  machines: number[];
  /** No machine of it has more copies to get. */
  most: number;
  /** Where the search among its machines begins: after the one that was chosen last. */
  next: number;
}

/**
 * For each shard the indexes of the machines that hold its copies, no machine twice. Shard by shard, and with `k` shards
 * to go: a zone that is to get `L` more copies gets `L / k` now, rounded down or up, from the machines that are to get
 * the most. Then no machine ever has more to get than there are shards to go, and no zone is forced together later.
 * @param loads copies that each machine gets, none more than there are shards
 */
export function deal(loads: readonly number[], zoneOf: readonly string[], { shards, copies }: Shape): number[][] {
  const left = [...loads];
  const zones = new Map<string, Seats>();
  zoneOf.forEach((zone, machine) => {
    if (left[machine] === 0) return;
    const seats = zones.get(zone) ?? { left: 0, machines: [], most: 0, next: 0 };
    seats.left += left[machine]!;
    seats.most = Math.max(seats.most, left[machine]!);
    seats.machines.push(machine);
    zones.set(zone, seats);
  });
  const all = [...zones.values()];
  const met = new Meetings(loads.length);
  return Array.from({ length: shards }, (_, index) => {
    const chosen: number[] = [];
    for (const seats of turns(all, shards - index, copies)) {
      const machine = pick(seats, left, chosen, met);
      left[machine]! -= 1;
      seats.left -= 1;
      chosen.push(machine);
    }
    met.note(chosen);
    return chosen;
  });
}

/** The zones that the next shard's copies go to, the same one more than once where it must be. */
function turns(zones: readonly Seats[], toGo: number, copies: number): Seats[] {
  const certain = zones.flatMap((seats) => Array.from({ length: Math.floor(seats.left / toGo) }, () => seats));
  const rest = new Map(zones.map((seats) => [seats, seats.left % toGo]));
  const more: Seats[] = [];
  while (certain.length + more.length < copies) {
    let best: Seats | null = null;
    for (const [seats, over] of rest) if (over > (best === null ? 0 : rest.get(best)!)) best = seats;
    more.push(best!);
    rest.set(best!, 0);
  }
  return [...certain, ...more];
}

/** Of those with the most to get, the one that shares the fewest shards with those chosen: its neighbours will be many. */
function pick(seats: Seats, left: readonly number[], chosen: readonly number[], met: Meetings): number {
  const { machines } = seats;
  let best = -1;
  let bestMet = 0;
  let looks = 0;
  let highest = 0;
  for (let step = 0; step < machines.length; step += 1) {
    const at = (seats.next + step) % machines.length;
    const machine = machines[at]!;
    const most = best < 0 ? 0 : left[machines[best]!]!;
    highest = Math.max(highest, left[machine]!);
    if (looks >= MAX_LOOKS && most === seats.most) {
      highest = most; // none of the others can be better
      break;
    }
    if (left[machine]! === 0 || left[machine]! < most || chosen.includes(machine)) continue;
    const isBetter = left[machine]! > most;
    if (!isBetter && looks >= MAX_LOOKS) continue;
    looks = isBetter ? 1 : looks + 1;
    const times = met.timesWith(machine, chosen);
    if (!isBetter && times >= bestMet) continue;
    best = at;
    bestMet = times;
  }
  seats.most = highest;
  seats.next = (best + 1) % machines.length;
  return machines[best]!;
}

/** How many shards two machines have in common. */
class Meetings {
  readonly #machines: number;
  readonly #times = new Map<number, number>();

  constructor(machines: number) {
    this.#machines = machines;
  }

  timesWith(machine: number, others: readonly number[]): number {
    return others.reduce((sum, other) => sum + (this.#times.get(this.#key(machine, other)) ?? 0), 0);
  }

  note(machines: readonly number[]): void {
    machines.forEach((machine, index) => {
      for (const other of machines.slice(0, index)) {
        const key = this.#key(machine, other);
        this.#times.set(key, (this.#times.get(key) ?? 0) + 1);
      }
    });
  }

  #key(a: number, b: number): number {
    return Math.min(a, b) * this.#machines + Math.max(a, b);
  }
}
