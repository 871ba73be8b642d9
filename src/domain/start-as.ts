/** How a node's process starts. */
import type { NodeAssignment } from './database.ts';
import type { NodeId } from './ids.ts';
import type { SlotRange } from './slots.ts';

/** A primary to follow, with what it owns: a replica that does not know it cannot take over when it must. */
export interface Leader {
  id: NodeId;
  host: string;
  port: number;
  slots: readonly SlotRange[];
  configEpoch: number;
}

/** With its own nodes.conf, or fenced: first rewritten to follow this primary and own nothing. */
export type StartAs = { kind: 'itself' } | { kind: 'replica'; primary: Leader };

/** Fenced when it is to follow a node that the record still has, else as its own disk says. */
export function startAs(follows: Omit<Leader, 'host' | 'port'> | null, nodes: readonly NodeAssignment[]): StartAs {
  const primary = nodes.find(({ id }) => id === follows?.id);
  if (!follows || !primary) return { kind: 'itself' };
  return { kind: 'replica', primary: { ...follows, host: primary.host, port: primary.port } };
}
