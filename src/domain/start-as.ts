/** How a node's process starts. */
import type { NodeAssignment } from './database.ts';
import type { NodeId } from './ids.ts';
import type { SlotRange } from './slots.ts';

/** What a primary owns. */
export interface Ownership {
  id: NodeId;
  slots: readonly SlotRange[];
  configEpoch: number;
}

/**
 * A primary with what it owns, and where it listens. It is to be followed: a replica that does not know what its primary
 * owns cannot take over when it must. Or these slots are to be left to it.
 */
export interface Leader extends Ownership {
  host: string;
  port: number;
}

/**
 * With its own nodes.conf, in which the slots of `yields` are first left to others; or fenced: first rewritten to follow
 * this primary and own nothing.
 */
export type StartAs = { kind: 'itself'; yields?: readonly Leader[] } | { kind: 'replica'; primary: Leader };

interface Wish {
  replicaOf: Ownership | null;
  yields?: readonly Ownership[];
}

/** Fenced when it is to follow a node that the record still has, else as its own disk says. */
export function startAs({ replicaOf, yields = [] }: Wish, nodes: readonly NodeAssignment[]): StartAs {
  const [primary] = replicaOf ? placed([replicaOf], nodes) : [];
  if (primary) return { kind: 'replica', primary };
  const others = placed(yields, nodes);
  return others.length > 0 ? { kind: 'itself', yields: others } : { kind: 'itself' };
}

/** Those of them that the record has. */
const placed = (owners: readonly Ownership[], nodes: readonly NodeAssignment[]): Leader[] =>
  owners.flatMap((owner) => {
    const node = nodes.find(({ id }) => id === owner.id);
    return node ? [{ ...owner, host: node.host, port: node.port }] : [];
  });
