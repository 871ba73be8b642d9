/**
 * Where nodes go. Hard rules: no two copies of a shard on one machine, nor in one zone while another zone could take it;
 * no machine with a majority of the primaries where that is avoidable; memory never over-committed. Soft ones: primaries,
 * nodes and memory even; what has its place keeps it. What each says and how they are weighed: docs/placement.md.
 *
 * Three questions are answered from the same bounds (`placement/bounds.ts`) and the same scoring
 * (`placement/standing.ts`): where a new database goes (`place`, here), where further copies go
 * (`placement/further.ts`), and how well a database lies that is there (`placement/judge.ts`).
 */
import type { Birth } from '../domain/database.ts';
import { byName } from '../domain/ids.ts';
import type { Addition } from '../domain/placement.ts';
import { splitEvenly } from '../domain/slots.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type { MachineView } from '../domain/view.ts';
import { whatToAdd } from './placement/addition.ts';
import { attainable, type Shape } from './placement/bounds.ts';
import { deal } from './placement/deal.ts';
import { loadsOf } from './placement/loads.ts';
import { levelled } from './placement/primaries.ts';
import { reservedBytesPerNode } from './placement/reserve.ts';
import { type Fleet, fleetOf, openRooms } from './placement/rooms.ts';

export { reservedBytesPerNode };

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
  /** Machines that may take new nodes, and machines that the wish needs. */
  machines: number;
  machinesNeeded: number;
  /** Replicas that so many machines can hold apart from their primary. */
  maxReplicas: number;
  /** Bytes one node reserves, and how many nodes there would be. */
  nodeBytes: number;
  nodes: number;
  /** Of these, how many have no room on machines of their own. */
  missing: number;
  /** What would make room for them. */
  add: Addition | null;
}

/** What a database of this spec consists of. */
export const shapeOf = ({ shards, replicas }: DatabaseSpec): Shape => ({ shards, copies: replicas + 1 });

/**
 * The places of a new database's nodes on the machines that are connected and active. Deterministic. Refused only when
 * no placement exists; otherwise no placement breaks a hard rule less.
 */
export function place(spec: DatabaseSpec, machines: readonly MachineView[]): Placement {
  const fleet = fleetOf(machines, reservedBytesPerNode(spec));
  const shape = shapeOf(spec);
  const figures = figuresOf(fleet, shape);
  if (figures.machines === 0 || shape.copies > figures.maxReplicas + 1)
    return { refused: 'not_enough_machines', figures };
  if (figures.missing > 0) return { refused: 'not_enough_memory', figures };
  const shards = inTurn(machinesOfShards(fleet, shape));
  const ranges = splitEvenly(shape.shards);
  return {
    places: [
      ...shards.map(({ primary }, index) => placeOf(index, primary, { role: 'primary', slots: [ranges[index]!] })),
      ...shards.flatMap(({ replicas }, index) => replicas.map((machine) => placeOf(index, machine, REPLICA))),
    ],
  };
}

const REPLICA: Birth = { role: 'replica' };

const placeOf = (index: number, machine: string, birth: Birth): Place => ({
  shard: `shard-${index + 1}`,
  machine,
  birth,
});

function figuresOf(fleet: Fleet, shape: Shape): Figures {
  const open = openRooms(fleet);
  const { missing } = attainable(open, shape, fleet.together);
  return {
    machines: open.length,
    machinesNeeded: shape.copies,
    maxReplicas: Math.max(0, open.length * fleet.together - 1),
    nodeBytes: fleet.nodeBytes,
    nodes: shape.shards * shape.copies,
    missing,
    add: whatToAdd(fleet, shape, (best) => best.missing === 0),
  };
}

/** The machines of one shard. */
export interface ShardMachines {
  primary: string;
  replicas: string[];
}

/** The best placement there is, shard by shard. @throws Error when there is none: see `attainable` */
export function machinesOfShards(fleet: Fleet, shape: Shape): ShardMachines[] {
  const open = openRooms(fleet);
  const loads = loadsOf(open, shape, fleet);
  const zones = open.map(({ zone }) => zone);
  const sets =
    fleet.together === 1 ? deal(loads, zones, shape) : Array.from({ length: shape.shards }, () => together(shape));
  const seats = sets.map((set) => ({ primary: null, copies: set.map((index) => open[index]!.machine) }));
  return levelled(seats).map(({ primary, copies }) => ({
    primary: primary!,
    replicas: copies.filter((_, index) => index !== copies.indexOf(primary!)),
  }));
}

/** All on the one machine there is. */
const together = ({ copies }: Shape): number[] => Array.from({ length: copies }, () => 0);

/** The shards in an order in which their primaries go round: shard-1 on the first machine, shard-2 on the second. */
function inTurn(shards: readonly ShardMachines[]): ShardMachines[] {
  const turns = new Map<string, number>();
  const turned = shards.map((shard) => {
    const turn = turns.get(shard.primary) ?? 0;
    turns.set(shard.primary, turn + 1);
    return { shard, turn };
  });
  const order = new Map([...turns.keys()].sort(byName).map((machine, index) => [machine, index]));
  return turned
    .sort((a, b) => a.turn - b.turn || order.get(a.shard.primary)! - order.get(b.shard.primary)!)
    .map(({ shard }) => shard);
}
