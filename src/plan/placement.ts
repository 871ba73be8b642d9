/**
 * Where nodes go. Hard rules: no two copies of a shard on one machine while another could take one, memory never
 * over-committed. Preferred: another zone, no machine with a majority of the primaries, even load.
 */
import type { Birth } from '../domain/database.ts';
import { byName } from '../domain/ids.ts';
import { splitEvenly } from '../domain/slots.ts';
import { type DatabaseSpec, memoryBytesPerNode } from '../domain/spec.ts';
import type { MachineView } from '../domain/view.ts';

/** A node to be made: its place, before it has an id and a port. */
export interface Place {
  shard: string;
  machine: string;
  birth: Birth;
}

export type Placement =
  | { places: Place[] }
  | { refused: 'not_enough_machines' | 'not_enough_memory'; figures: Figures };

export interface Figures {
  /** Machines there are, and machines the wish needs. */
  machines: number;
  machinesNeeded: number;
  /** Bytes one node reserves, and the largest free share of a machine. */
  nodeBytes: number;
  largestFreeBytes: number;
}

/** A process needs room beside its data: buffers, and the pages a fork duplicates while it writes a snapshot. */
const RESERVE_FACTOR = 1.25;
const PROCESS_BYTES = 16 * 1024 ** 2;

/** Memory that a node of this spec reserves on its machine, in bytes. */
export const reservedBytesPerNode = (spec: DatabaseSpec): number =>
  Math.ceil(memoryBytesPerNode(spec) * RESERVE_FACTOR) + PROCESS_BYTES;

/** Replicas that a fleet of so many machines can hold apart from their primary; a single machine may hold one beside it. */
export const maxReplicas = (machines: number): number => Math.max(1, machines - 1);

/** The places of a new database's nodes on the connected machines. Deterministic. */
export function place(spec: DatabaseSpec, machines: readonly MachineView[]): Placement {
  const connected = machines.filter((machine) => machine.connected).sort((a, b) => byName(a.name, b.name));
  const nodeBytes = reservedBytesPerNode(spec);
  const fleet = connected.map((machine) => new Load(machine));
  const figures = (): Figures => ({
    machines: connected.length,
    machinesNeeded: spec.replicas + 1,
    nodeBytes,
    largestFreeBytes: Math.max(0, ...fleet.map((load) => load.freeBytes)),
  });
  if (connected.length === 0 || spec.replicas > maxReplicas(connected.length)) {
    return { refused: 'not_enough_machines', figures: figures() };
  }
  const ranges = splitEvenly(spec.shards);
  const shards = ranges.map((_, index) => `shard-${index + 1}`);
  const places: Place[] = [];
  const put = (shard: string, birth: Birth): boolean => {
    const copies = places.filter((other) => other.shard === shard).map(({ machine }) => machine);
    const load = bestMachine(fleet, copies, birth.role, nodeBytes);
    if (!load) return false;
    load.add(nodeBytes, birth.role);
    places.push({ shard, machine: load.machine.name, birth });
    return true;
  };
  const fits =
    shards.every((shard, index) => put(shard, { role: 'primary', slots: [ranges[index]!] })) &&
    shards.every((shard) => Array.from({ length: spec.replicas }).every(() => put(shard, { role: 'replica' })));
  return fits ? { places } : { refused: 'not_enough_memory', figures: figures() };
}

/** A machine with what has been put on it so far. */
class Load {
  readonly machine: MachineView;
  freeBytes: number;
  primaries = 0;
  nodes = 0;

  constructor(machine: MachineView) {
    this.machine = machine;
    this.freeBytes = machine.memoryBytes - machine.reservedBytes;
  }

  add(bytes: number, role: Birth['role']): void {
    this.freeBytes -= bytes;
    this.nodes += 1;
    if (role === 'primary') this.primaries += 1;
  }
}

/** The machine for one more copy: apart from the others, in another zone if there is one, then the least loaded. */
function bestMachine(fleet: Load[], copies: string[], role: Birth['role'], nodeBytes: number): Load | null {
  const zones = fleet.filter(({ machine }) => copies.includes(machine.name)).map(({ machine }) => machine.zone);
  // Of equals the next one round: the replicas of one machine's primaries spread over all the others.
  const first = Math.max(
    0,
    fleet.findIndex(({ machine }) => machine.name === copies[0]),
  );
  const turn = (load: Load): number => (fleet.indexOf(load) - first + fleet.length) % fleet.length;
  const apart = fleet.filter(({ machine }) => !copies.includes(machine.name));
  const ranked = (apart.length > 0 ? apart : fleet)
    .filter((load) => load.freeBytes >= nodeBytes)
    .sort(
      (a, b) =>
        Number(zones.includes(a.machine.zone)) - Number(zones.includes(b.machine.zone)) ||
        (role === 'primary' ? a.primaries - b.primaries : 0) ||
        a.nodes - b.nodes ||
        b.freeBytes - a.freeBytes ||
        turn(a) - turn(b),
    );
  return ranked[0] ?? null;
}
