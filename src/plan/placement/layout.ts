/** How a database lies on its machines, and what each machine says to one more copy of a shard. */
import type { Refusal } from '../../domain/placement.ts';
import type { Shape } from './bounds.ts';
import type { Fleet, Room } from './rooms.ts';
import type { Standing } from './standing.ts';

/** A copy of a shard that is there, or is to be made: primary or replica. */
export interface PlacedCopy {
  shard: string;
  machine: string;
  primary: boolean;
  /** False: it takes room and keeps its like away, but is not to be relied on: its machine is lost, or drains. */
  counts: boolean;
}

export interface Layout {
  shape: Shape;
  copies: readonly PlacedCopy[];
}

/** A machine's answer to one more copy of a shard. */
export interface Answer {
  room: Room;
  /** Null when it can take it. */
  refusal: Refusal | null;
  standing: Standing;
}

/** A layout with what is asked of it over and over, counted once. */
export interface Survey {
  fleet: Fleet;
  roomOf: ReadonlyMap<string, Room>;
  /** By shard. */
  copiesOf: ReadonlyMap<string, readonly PlacedCopy[]>;
  /** The database's nodes, by machine. */
  nodesOn: ReadonlyMap<string, number>;
}

/** Counts a layout through. Every copy of it must be reserved for already in the fleet. */
export function surveyOf({ copies }: Layout, fleet: Fleet): Survey {
  const copiesOf = new Map<string, PlacedCopy[]>();
  for (const copy of copies) {
    const known = copiesOf.get(copy.shard);
    if (known) known.push(copy);
    else copiesOf.set(copy.shard, [copy]);
  }
  return {
    fleet,
    roomOf: new Map(fleet.rooms.map((room) => [room.machine, room])),
    copiesOf,
    nodesOn: nodesByMachine(copies),
  };
}

/** How many of the copies each machine has. */
export function nodesByMachine(copies: readonly Pick<PlacedCopy, 'machine'>[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { machine } of copies) counts.set(machine, (counts.get(machine) ?? 0) + 1);
  return counts;
}

/**
 * What every machine says to one more copy of the shard, in the order of their names.
 * @param without a copy that is thought away: as if it were to be placed now
 */
export function answersFor(
  { fleet, roomOf, copiesOf, nodesOn }: Survey,
  shard: string,
  without?: PlacedCopy,
): Answer[] {
  const { nodeBytes, together, rooms } = fleet;
  const others = (copiesOf.get(shard) ?? []).filter((copy) => copy !== without);
  const zones = new Set(others.flatMap(({ machine, counts }) => (counts ? (roomOf.get(machine)?.zone ?? []) : [])));
  const held = nodesByMachine(others);
  return rooms.map((room) => {
    const own = without?.machine === room.machine ? 1 : 0;
    const fits = room.closed === null && room.memoryBytes - room.reservedBytes >= (1 - own) * nodeBytes;
    return {
      room,
      refusal: room.closed ?? ((held.get(room.machine) ?? 0) >= together ? 'has_copy' : fits ? null : 'no_room'),
      standing: {
        sharesZone: zones.has(room.zone),
        nodes: (nodesOn.get(room.machine) ?? 0) - own,
        fill: (room.reservedBytes + (1 - own) * nodeBytes) / room.memoryBytes,
      },
    };
  });
}
