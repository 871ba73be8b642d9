/** A database's layout, from its record and what was seen of it: the ground on which its placement is judged. */
import { type Database, speaksTls } from '../domain/database.ts';
import type { MachineView } from '../domain/view.ts';
import type { Layout } from './placement/layout.ts';
import { shapeOf } from './placement.ts';
import type { ShardTopology } from './topology.ts';

/** Those that may have its nodes: of a database that speaks TLS, those with credentials, and where it has nodes already. */
export function machinesFor(
  { nodes }: Pick<Database, 'nodes'>,
  machines: readonly MachineView[],
): readonly MachineView[] {
  if (!speaksTls({ nodes })) return machines;
  const used = new Set(nodes.map(({ machine }) => machine));
  return machines.filter(({ name, tls }) => tls || used.has(name));
}

/** Every node with its place and role; one on a machine that drains or was removed does not count. */
export function layoutOf(
  { spec }: Database,
  shards: readonly ShardTopology[],
  machines: readonly MachineView[],
): Layout {
  const leaving = new Set(machines.filter(({ state }) => state !== 'active').map(({ name }) => name));
  return {
    shape: shapeOf(spec),
    copies: shards.flatMap(({ name, members, owner }) =>
      members.map((member) => ({
        shard: name,
        machine: member.assignment.machine,
        primary: member === owner,
        counts: !leaving.has(member.assignment.machine),
      })),
    ),
  };
}
