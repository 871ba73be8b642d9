/** From which node a shard's part of a backup is taken. */
import type { NodeAssignment } from '../../domain/database.ts';
import type { NodeId } from '../../domain/ids.ts';
import type { SlotRange } from '../../domain/slots.ts';
import type { AnsweringEngine } from '../../domain/view.ts';
import { isInSync, lagBytes, type Member, type ShardTopology } from '../../plan/topology.ts';

export interface Source {
  shard: string;
  slots: readonly SlotRange[];
  node: NodeAssignment;
  role: 'primary' | 'replica';
  engine: AnsweringEngine;
}

/**
 * The copy that lags least; the primary where none is in sync.
 * @param tried those that could not give it
 */
export function sourceOf(shard: ShardTopology, tried: ReadonlySet<NodeId>): Source | null {
  const { members, owner } = shard;
  const able = members.filter(({ assignment }) => !tried.has(assignment.id));
  const lag = (member: Member): number => lagBytes(member, owner) ?? Infinity;
  const copies = able.filter((member) => member !== owner && isInSync(member, owner)).sort((a, b) => lag(a) - lag(b));
  const chosen = copies[0] ?? able.find((member) => member === owner);
  if (!chosen?.engine || chosen.engine.loading) return null;
  const role = chosen === owner ? 'primary' : 'replica';
  return { shard: shard.name, slots: shard.slots, node: chosen.assignment, role, engine: chosen.engine };
}
