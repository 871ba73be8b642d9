/** Who owns what, by the best evidence there is: a node's own answer, then what living nodes say of it, then its disk. */
import type { Database, NodeAssignment } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { countSlots, SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import {
  type AnsweringEngine,
  answering,
  type DatabaseView,
  isKnownDead,
  type NodeView,
  type ReplicaLink,
  UNKNOWN_NODE,
} from '../domain/view.ts';
import { keptFor } from './kept.ts';

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
  /**
   * It owns nothing, and that is certain: others say of themselves that they own all slots. So it is while slots move,
   * with a shard that is new and with one that is to leave. The owner is then the primary that its copies follow.
   */
  isEmpty: boolean;
}

/** The nodes of a record by id. */
export const nodesById = keptFor((nodes: readonly NodeAssignment[]) => new Map(nodes.map((node) => [node.id, node])));

const nodesByShard = keptFor((nodes: readonly NodeAssignment[]) => Map.groupBy(nodes, ({ shard }) => shard));

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

/** By node the strongest claim of which others know. Made only where a node does not answer: every node knows every other. */
const toldClaims = keptFor((nodes: DatabaseView['nodes']): ReadonlyMap<NodeId, Claim> => {
  const told = new Map<NodeId, Claim>();
  for (const node of nodes.values()) {
    for (const peer of answering(node)?.peers ?? []) {
      if (peer.role === 'primary' && peer.configEpoch > (told.get(peer.id)?.configEpoch ?? -1)) told.set(peer.id, peer);
    }
  }
  return told;
});

/** The strongest claim to slots that is known for a member, or null. */
function claimOf(member: Member, view: DatabaseView): Claim | null {
  if (member.engine) return member.engine.role === 'primary' ? member.engine : null;
  const told = toldClaims(view.nodes).get(member.assignment.id);
  if (told) return told;
  const disk = member.view.disk?.claim;
  return disk?.role === 'primary' ? disk : null;
}

/**
 * The shard as it stands: the owner is the member with slots and the highest config epoch (the engine's own rule), of
 * two with the same the one that says so itself. Who was overridden is it only where nobody else has slots.
 */
export function shardTopology(database: Database, view: DatabaseView, shard: string): ShardTopology {
  const members = (nodesByShard(database.nodes).get(shard) ?? []).map((node) => memberOf(node, view));
  let owner: Member | null = null;
  let best: Claim | null = null;
  for (const member of members) {
    const claim = claimOf(member, view);
    if (!claim || countSlots(claim.slots) === 0) continue;
    if (!owner || !best || isStronger(database, [member, claim], [owner, best])) {
      owner = member;
      best = claim;
    }
  }
  if (owner === null && database.reshard !== null && servedSlots(view.nodes).count === SLOT_COUNT) {
    const head = headOf(members);
    return { name: shard, members, owner: head, slots: [], configEpoch: head?.engine?.configEpoch ?? 0, isEmpty: true };
  }
  const configEpoch = best?.configEpoch ?? 0;
  return { name: shard, members, owner, slots: best?.slots ?? [], configEpoch, isEmpty: false };
}

/** How many slots have an owner that says so itself. */
const servedSlots = keptFor((nodes: DatabaseView['nodes']) => {
  const isServed = new Uint8Array(SLOT_COUNT);
  for (const node of nodes.values()) {
    const engine = answering(node);
    if (engine?.role !== 'primary') continue;
    for (const [from, to] of engine.slots) isServed.fill(1, from, to + 1);
  }
  return { count: isServed.reduce((sum, one) => sum + one, 0) };
});

/** Of a shard without slots: the primary that most of the others follow; null when none answers. */
function headOf(members: readonly Member[]): Member | null {
  const followers = ({ assignment: { id } }: Member): number =>
    members.filter(({ engine }) => engine?.primaryId === id).length;
  const primaries = members.filter(({ engine }) => engine?.role === 'primary');
  return primaries.toSorted((a, b) => followers(b) - followers(a))[0] ?? null;
}

function isStronger(
  { overridden }: Database,
  [one, { configEpoch }]: readonly [Member, Claim],
  [other, { configEpoch: otherEpoch }]: readonly [Member, Claim],
): boolean {
  const [isOut, otherIsOut] = [one, other].map(({ assignment }) => assignment.id in overridden);
  if (isOut !== otherIsOut) return otherIsOut === true;
  return configEpoch === otherEpoch ? one.engine !== null && other.engine === null : configEpoch > otherEpoch;
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
