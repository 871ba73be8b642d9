/** Who owns what, by the best evidence there is: a node's own answer, then what living nodes say of it, then its disk. */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { countSlots, type SlotRange } from '../domain/slots.ts';
import {
  type AnsweringEngine,
  answering,
  type DatabaseView,
  isKnownDead,
  type NodeView,
  type ReplicaLink,
  UNKNOWN_NODE,
} from '../domain/view.ts';

/** A node with what was seen of it. */
export interface Member {
  assignment: NodeAssignment;
  view: NodeView;
  /** Its answer, if it gave one under its own name. */
  engine: AnsweringEngine | null;
  /** Its process is certainly gone and nothing answers in its place. */
  dead: boolean;
}

export interface ShardTopology {
  name: string;
  members: readonly Member[];
  /** Who owns the shard's slots; null when nobody is known to. */
  owner: Member | null;
  slots: readonly SlotRange[];
  /** Of the owner's claim; 0 without an owner. */
  configEpoch: number;
}

/** The machines' word and the nodes' word on one node, side by side. */
export function memberOf(assignment: NodeAssignment, view: DatabaseView): Member {
  const node = view.nodes.get(assignment.id) ?? UNKNOWN_NODE;
  const engine = answering(node);
  const own = engine?.id === assignment.id ? engine : null;
  return { assignment, view: node, engine: own, dead: isKnownDead(node) && own === null };
}

interface Claim {
  slots: readonly SlotRange[];
  configEpoch: number;
}

/** The strongest claim of which others know. Every node knows every other: nothing is copied on the way. */
function toldOf(id: NodeId, view: DatabaseView): Claim | null {
  let told: Claim | null = null;
  for (const node of view.nodes.values()) {
    for (const peer of answering(node)?.peers ?? []) {
      if (peer.id !== id || peer.role !== 'primary') continue;
      if (told === null || peer.configEpoch > told.configEpoch) told = peer;
    }
  }
  return told;
}

/** The strongest claim to slots that is known for a member, or null. */
function claimOf(member: Member, view: DatabaseView): Claim | null {
  if (member.engine) return member.engine.role === 'primary' ? member.engine : null;
  const told = toldOf(member.assignment.id, view);
  if (told) return told;
  const disk = member.view.disk?.claim;
  return disk?.role === 'primary' ? disk : null;
}

/**
 * The shard as it stands: the owner is the member with slots and the highest config epoch (the engine's own rule), of
 * two with the same the one that says so itself.
 */
export function shardTopology(database: Database, view: DatabaseView, shard: string): ShardTopology {
  const members = database.nodes.filter((node) => node.shard === shard).map((node) => memberOf(node, view));
  let owner: Member | null = null;
  let best: Claim | null = null;
  for (const member of members) {
    const claim = claimOf(member, view);
    if (!claim || countSlots(claim.slots) === 0) continue;
    const isTie = claim.configEpoch === best?.configEpoch && member.engine !== null && owner?.engine === null;
    if (!best || claim.configEpoch > best.configEpoch || isTie) {
      owner = member;
      best = claim;
    }
  }
  return { name: shard, members, owner, slots: best?.slots ?? [], configEpoch: best?.configEpoch ?? 0 };
}

/** A replica that has never been in sync reports the offset 1 (`slave_repl_offset`, Valkey's INFO). */
export const hasHistory = ({ offset }: AnsweringEngine): boolean => offset > 1;

/** Most seconds since a replica's last acknowledgement at which it still counts as in sync; it acknowledges each second. */
const MAX_ACK_AGE_SECONDS = 10;

/** The replica as its primary lists it. */
export const linkTo = ({ host, port }: NodeAssignment, primary: Member | null): ReplicaLink | undefined =>
  primary?.engine?.replicas.find((link) => link.host === host && link.port === port);

/** Bytes a replica lags behind its primary, or null when the primary has not heard from it. */
export function lagBytes(replica: Member, primary: Member | null): number | null {
  const link = linkTo(replica.assignment, primary);
  if (!link?.online || link.ackedOffset === 0) return null;
  return Math.max(0, primary!.engine!.offset - link.ackedOffset);
}

/**
 * In sync: it follows this primary, its link is up, the primary has had its acknowledgement lately, and it has had some
 * of the stream since its last full copy. A link that is up is not enough, nor is an acknowledgement: for up to a
 * second after a full copy both are there and nothing is streamed, and a kill then loses all that was written meanwhile.
 */
export function isInSync(replica: Member, primary: Member | null): boolean {
  const { engine } = replica;
  if (engine?.role !== 'replica' || !primary?.engine || engine.primaryId !== primary.assignment.id) return false;
  if (!engine.linkUp || engine.syncInProgress || engine.streamedBytes === 0) return false;
  const link = linkTo(replica.assignment, primary);
  return link?.online === true && link.ackedOffset > 0 && link.ackAgeSeconds <= MAX_ACK_AGE_SECONDS;
}

/** True when every node of the shard that is not the owner follows it, in sync. */
export const isWhole = (shard: ShardTopology): boolean =>
  shard.owner?.engine?.role === 'primary' &&
  shard.members.every((member) => member === shard.owner || isInSync(member, shard.owner));

/** The ids of the database's nodes. */
export const nodeIds = (database: Database): Set<NodeId> => new Set(database.nodes.map((node) => node.id));
