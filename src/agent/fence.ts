/**
 * The fenced restart: before a process starts, its own nodes.conf is made to say that it is a replica and owns nothing.
 * Epochs are no fence: an old primary that returns with a higher one would win and its replacement would be emptied.
 *
 * What the new primary owns, and at which epoch, is written as well. It may be dead again before it has told, and a
 * replica takes over what it knows its primary to own, asks for votes with its primary's epoch, and takes the next one
 * after the highest it knows: without the slots it would take over nothing, with an old epoch nobody would vote for it.
 */
import { BUS_PORT_OFFSET } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
import { rangesOf, slotsIn, withoutSlots } from '../domain/slots.ts';
import type { Leader } from '../domain/start-as.ts';
import { type ClusterNodeLine, formatNodesConf, isMyself, parseNodesConf } from '../valkey/cluster-nodes.ts';

/** A node and where it listens. */
export interface Place {
  id: NodeId;
  host: string;
  port: number;
}

/** The nodes.conf with which `self` comes back as a replica of `primary`; a text that is not whole is replaced. */
export function fencedNodesConf(text: string, self: Place, primary: Leader): string {
  const conf = parseNodesConf(text);
  const known = conf?.nodes.find(isMyself)?.id === self.id ? conf.nodes : [];
  const own = known.find(isMyself) ?? newLine(self);
  const leader = known.find(({ id }) => id === primary.id) ?? newLine(primary);
  const others = known.filter((node) => node !== own && node !== leader);
  return formatNodesConf({
    nodes: [
      follower(at(own, self), primary),
      leading(at(leader, primary), primary),
      ...others.map((node) => loyal(node, self, primary)),
    ],
    currentEpoch: Math.max(conf?.currentEpoch ?? 0, primary.configEpoch),
    lastVoteEpoch: conf?.lastVoteEpoch ?? 0,
  });
}

/**
 * The nodes.conf with which a primary comes back as itself, without slots that others serve: it took them and ended
 * before anyone had heard of it. They are written as theirs: of a slot that nobody has the engine takes possession when
 * it finds keys of it, and keys of a slot that is another's it drops (Valkey's verifyClusterConfigWithData).
 */
export function yieldedNodesConf(text: string, self: NodeId, others: readonly Leader[]): string {
  const conf = parseNodesConf(text);
  if (!conf) return text;
  const left = others.flatMap(({ slots }) => slots);
  const added = others.filter(({ id }) => conf.nodes.every((node) => node.id !== id)).map(newLine);
  const nodes = [...conf.nodes, ...added].map((node): ClusterNodeLine => {
    const other = others.find(({ id }) => id === node.id);
    const slots = withoutSlots(node.slots, left);
    if (node.id === self) return { ...node, slots, moving: [] };
    if (!other) return { ...node, slots };
    const all = rangesOf([...slotsIn(slots), ...slotsIn(other.slots)].sort((a, b) => a - b));
    return leading(node, { ...other, slots: all });
  });
  return formatNodesConf({ ...conf, nodes });
}

const newLine = ({ id, host, port }: Place): ClusterNodeLine => ({
  id,
  host,
  port,
  busPort: port + BUS_PORT_OFFSET,
  aux: '',
  flags: ['master'],
  role: 'primary',
  primaryId: null,
  pingSent: '0',
  pongReceived: '0',
  configEpoch: 0,
  linkState: 'connected',
  slots: [],
  moving: [],
});

const at = (node: ClusterNodeLine, { host, port }: Place): ClusterNodeLine => ({
  ...node,
  host,
  port,
  busPort: port + BUS_PORT_OFFSET,
});

const follower = (node: ClusterNodeLine, primary: Place): ClusterNodeLine => ({
  ...node,
  flags: ['myself', 'slave'],
  primaryId: primary.id,
  slots: [],
  moving: [],
});

/** It may be remembered as our replica, or as failed; it is neither. Of two lines with a slot the engine believes the first. */
const leading = (node: ClusterNodeLine, { slots, configEpoch }: Leader): ClusterNodeLine => ({
  ...node,
  flags: ['master'],
  primaryId: null,
  slots,
  configEpoch: Math.max(node.configEpoch, configEpoch),
});

/** Who followed us follows the new primary. */
const loyal = (node: ClusterNodeLine, self: Place, primary: Place): ClusterNodeLine =>
  node.primaryId === self.id ? { ...node, primaryId: primary.id } : node;
