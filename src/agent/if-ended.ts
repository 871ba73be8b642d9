/** What would become of a shard if a node of this machine ended: found out before one that gives no sign of life is. */
import type { NodeId } from '../domain/ids.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import type { IfEnded } from '../plan/pulse.ts';
import { shardTopology } from '../plan/topology.ts';
import { lookAtShard, type Seer } from './shard-view.ts';

/**
 * Looks at the shard as if the node were dead already, and plans.
 * @param mayDecide whether this machine may decide who is primary
 */
export async function ifEnded(
  seer: Seer,
  databases: readonly GuardedDatabase[],
  id: NodeId,
  mayDecide: () => boolean,
): Promise<IfEnded> {
  const guarded = databases.find((database) => !database.deleting && database.nodes.some((node) => node.id === id));
  if (!guarded) return 'missed';
  const { shard } = guarded.nodes.find((node) => node.id === id)!;
  const { database, view } = await lookAtShard(seer, guarded, shard, new Set([id]));
  const { owner } = shardTopology(database, view, shard);
  if (owner && owner.assignment.id !== id) return owner.engine?.role === 'primary' ? 'spared' : 'missed';
  const isReplaced = seer.plan(database, view, shard).steps.some((step) => step.kind === 'promote');
  return isReplaced && mayDecide() ? 'replaced' : 'missed';
}
