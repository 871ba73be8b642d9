/**
 * What a node knows of its cluster's nodes: the answer to CLUSTER NODES and the file nodes.conf have the same form,
 * `id host:port@bus[,hostname][,aux=value...] flags primary ping pong epoch link [slots...]`.
 * What is read and written back is the same text, except that blank lines go.
 */
import type { NodeId } from '../domain/ids.ts';
import { SLOT_COUNT, type SlotRange } from '../domain/slots.ts';

export interface ClusterNodeLine {
  id: NodeId;
  /** Empty where the node knows none: for itself before it has met anybody, and for a node marked `noaddr`. */
  host: string;
  port: number;
  busPort: number;
  /** What follows the address, such as `,,tls-port=0,shard-id=...`; kept as it is. */
  aux: string;
  /** As written: myself, master, slave, fail?, fail, handshake, noaddr, nofailover, noflags. */
  flags: readonly string[];
  /** A node in `handshake` has no role yet and counts as a primary without slots. */
  role: 'primary' | 'replica';
  primaryId: NodeId | null;
  /** Milliseconds since the epoch, or 0; as written. */
  pingSent: string;
  pongReceived: string;
  configEpoch: number;
  linkState: 'connected' | 'disconnected';
  slots: readonly SlotRange[];
  /** Slots on their way in (`[93-<-id]`) or out (`[93->-id]`), as written. */
  moving: readonly string[];
}

export interface NodesConf {
  nodes: ClusterNodeLine[];
  currentEpoch: number;
  lastVoteEpoch: number;
}

/** The lines of a CLUSTER NODES answer. @throws SyntaxError naming the line that has another form */
export const parseClusterNodes = (text: string): ClusterNodeLine[] => linesOf(text).map(parseLine);

/**
 * The content of nodes.conf, or null when it cannot be trusted: empty, torn, a node named twice, or not exactly one
 * line for the node itself. The engine does not start from most of these; from an empty file it starts as a new node.
 */
export function parseNodesConf(text: string): NodesConf | null {
  if (!text.endsWith('\n')) return null; // the last line may have lost its end, and a number without its end looks whole
  const lines = linesOf(text);
  const [vars, ...moreVars] = lines.filter((line) => line.startsWith('vars '));
  const epochs = /^vars currentEpoch (\d{1,15}) lastVoteEpoch (\d{1,15})$/.exec(vars ?? '');
  if (!epochs || moreVars.length > 0) return null;
  try {
    const nodes = lines.filter((line) => line !== vars).map(parseLine);
    const ids = new Set(nodes.map(({ id }) => id));
    if (ids.size !== nodes.length || nodes.filter(isMyself).length !== 1) return null;
    return { nodes, currentEpoch: Number(epochs[1]), lastVoteEpoch: Number(epochs[2]) };
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** The text of nodes.conf. */
export const formatNodesConf = ({ nodes, currentEpoch, lastVoteEpoch }: NodesConf): string =>
  [...nodes.map(formatLine), `vars currentEpoch ${currentEpoch} lastVoteEpoch ${lastVoteEpoch}`, ''].join('\n');

/** The line about the node that wrote it. */
export const isMyself = ({ flags }: ClusterNodeLine): boolean => flags.includes('myself');

const linesOf = (text: string): string[] => text.split('\n').filter((line) => line.trim() !== '');

const LINE = new RegExp(
  [
    '^([0-9a-f]{40})', // id
    '([^ ,]*):(\\d{1,5})@(\\d{1,5})((?:,[^ ]*)?)', // host, port, busPort, aux
    '([^ ]+)', // flags
    '(-|[0-9a-f]{40})', // primary
    '(\\d+)', // pingSent
    '(\\d+)', // pongReceived
    '(\\d{1,15})', // epoch
    '(connected|disconnected)((?: [^ ]+)*)$', // linkState, owned
  ].join(' '),
);

function parseLine(line: string): ClusterNodeLine {
  const match = LINE.exec(line);
  if (!match) throw new SyntaxError(`not a line about a cluster node: ${JSON.stringify(line)}`);
  const [, id, host, port, busPort, aux, flagList, primary, pingSent, pongReceived, epoch, linkState, ownedList] =
    match as unknown as string[];
  const flags = flagList!.split(',');
  const owned = ownedList === '' ? [] : ownedList!.slice(1).split(' ');
  return {
    id: id!,
    host: host!,
    port: Number(port),
    busPort: Number(busPort),
    aux: aux!,
    flags,
    role: flags.includes('slave') || flags.includes('replica') ? 'replica' : 'primary',
    primaryId: primary === '-' ? null : primary!,
    pingSent: pingSent!,
    pongReceived: pongReceived!,
    configEpoch: Number(epoch),
    linkState: linkState as ClusterNodeLine['linkState'],
    slots: owned.filter((slot) => !slot.startsWith('[')).map(parseSlots),
    moving: owned.filter((slot) => slot.startsWith('[')).map(checkedMove),
  };
}

function parseSlots(text: string): SlotRange {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2] ?? match?.[1]);
  if (!match || from > to || to >= SLOT_COUNT) throw new SyntaxError(`not a slot range: ${JSON.stringify(text)}`);
  return [from, to];
}

function checkedMove(text: string): string {
  const [, slot] = /^\[(\d{1,5})-[<>]-[0-9a-f]{40}\]$/.exec(text) ?? [];
  if (slot === undefined || Number(slot) >= SLOT_COUNT) {
    throw new SyntaxError(`not a slot that moves: ${JSON.stringify(text)}`);
  }
  return text;
}

function formatLine(node: ClusterNodeLine): string {
  const slots = node.slots.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`));
  return [
    node.id,
    `${node.host}:${node.port}@${node.busPort}${node.aux}`,
    node.flags.join(','),
    node.primaryId ?? '-',
    node.pingSent,
    node.pongReceived,
    node.configEpoch,
    node.linkState,
    ...slots,
    ...node.moving,
  ].join(' ');
}
