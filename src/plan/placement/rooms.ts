/** The fleet as placement sees it: which machines may take new nodes, and for how many each has room. */
import { byName } from '../../domain/ids.ts';
import type { Refusal } from '../../domain/placement.ts';
import { isFilling, type MachineView } from '../../domain/view.ts';

/** Why a machine takes no new nodes at all. */
export type Closed = Extract<Refusal, 'removed' | 'draining' | 'away' | 'disk_filling'>;

export interface Room {
  machine: string;
  zone: string;
  /** Null when it may take new nodes. */
  closed: Closed | null;
  memoryBytes: number;
  /** By nodes that stay where they are. */
  reservedBytes: number;
  /** How many more nodes fit; 0 when it is closed. */
  fits: number;
}

export interface Fleet {
  /** In the order of their names. */
  rooms: readonly Room[];
  /** Bytes that one node reserves. */
  nodeBytes: number;
  /** Copies of a shard that a machine may hold: one, or two on a machine that is the whole fleet. */
  together: 1 | 2;
}

/**
 * The fleet for nodes that reserve so many bytes each.
 * @param givenBack nodes of that size, by machine, that are taken out of it first
 */
export function fleetOf(
  machines: readonly MachineView[],
  nodeBytes: number,
  givenBack: ReadonlyMap<string, number> = new Map(),
): Fleet {
  const rooms = machines.map((machine): Room => {
    const { name, zone, memoryBytes } = machine;
    const reservedBytes = machine.reservedBytes - (givenBack.get(name) ?? 0) * nodeBytes;
    const closed = closedBy(machine);
    const fits = closed ? 0 : Math.max(0, Math.floor((memoryBytes - reservedBytes) / nodeBytes));
    return { machine: name, zone, closed, memoryBytes, reservedBytes, fits };
  });
  rooms.sort((a, b) => byName(a.machine, b.machine));
  const left = rooms.filter(({ closed }) => closed !== 'removed');
  return { rooms, nodeBytes, together: left.length === 1 ? 2 : 1 };
}

/** The machines that may take new nodes. */
export const openRooms = ({ rooms }: Fleet): Room[] => rooms.filter(({ closed }) => closed === null);

function closedBy(machine: MachineView): Closed | null {
  if (machine.state !== 'active') return machine.state;
  if (!machine.connected) return 'away';
  return isFilling(machine) ? 'disk_filling' : null;
}
