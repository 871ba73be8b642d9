/** Reading a database's status. */
import type { DatabaseStatus, NodeStatus, ShardStatus } from '../domain/status.ts';

/** Who serves the shard. @throws RangeError when nobody does */
export function primaryOf({ id, primary }: ShardStatus): NodeStatus {
  if (!primary) throw new RangeError(`nobody serves ${id}`);
  return primary;
}

/** The primaries of the database. @throws RangeError when a shard has none */
export const primariesOf = ({ shards }: DatabaseStatus): NodeStatus[] => shards.map(primaryOf);

/** The replicas of the database. */
export const replicasOf = ({ shards }: DatabaseStatus): NodeStatus[] => shards.flatMap(({ replicas }) => replicas);

/** What the database lacks to be whole: served, and with every copy in sync. Null when nothing. */
export function lacking({ state, spec, shards, conditions }: DatabaseStatus): string | null {
  const unserved = shards.find(({ primary }) => primary?.state !== 'running');
  if (unserved) return `nobody serves ${unserved.id}`;
  const thin = shards.find(({ replicas }) => replicas.filter(({ inSync }) => inSync).length < spec.replicas);
  if (thin) return `${thin.id} lacks a replica in sync`;
  return state === 'ready' ? null : `the database is ${state}: ${conditions[0]?.message ?? 'no reason given'}`;
}
