/** Whether a machine can be emptied: every copy that it holds needs a place elsewhere. */
import { type Database, shardNames, specNow } from '../domain/database.ts';
import { formatSize } from '../domain/size.ts';
import { counted } from '../domain/template.ts';
import type { MachineView } from '../domain/view.ts';
import { machinesFor } from './layout.ts';
import { describeAddition } from './placement/addition.ts';
import { furtherPlaces } from './placement/further.ts';
import { reservedBytesPerNode, shapeOf } from './placement.ts';

/** Why the machine cannot be emptied, a sentence for each database that stands in the way; none when it can. */
export function drainObstacles(
  name: string,
  databases: readonly Database[],
  machines: readonly MachineView[],
): string[] {
  let fleet = machines.map(
    (machine): MachineView => (machine.name === name ? { ...machine, state: 'draining' } : machine),
  );
  const leaving = new Set(fleet.filter(({ state }) => state !== 'active').map((machine) => machine.name));
  return databases.flatMap((database) => {
    const shards = shardNames(database).filter((shard) =>
      database.nodes.some((node) => node.shard === shard && node.machine === name),
    );
    if (database.deleting || shards.length === 0) return [];
    const nodeBytes = reservedBytesPerNode(specNow(database));
    const copies = database.nodes.map(({ shard, machine }) => ({
      ...{ shard, machine, primary: false },
      counts: !leaving.has(machine),
    }));
    const { places, add } = furtherPlaces(
      shards,
      { shape: shapeOf(database.spec), copies },
      nodeBytes,
      machinesFor(database, fleet),
    );
    for (const { machine } of places) fleet = withReserved(fleet, machine, nodeBytes);
    const lacking = places.filter(({ machine }) => machine === null);
    if (lacking.length === 0) return [];
    const what = `${counted(lacking.length, 'copy', 'copies')} of ${formatSize(nodeBytes)} each`;
    return [`${database.name}: ${what} would have no place.${add ? ` Add ${describeAddition(add)}.` : ''}`];
  });
}

const withReserved = (machines: readonly MachineView[], name: string | null, bytes: number): MachineView[] =>
  machines.map((machine) =>
    machine.name === name ? { ...machine, reservedBytes: machine.reservedBytes + bytes } : machine,
  );
