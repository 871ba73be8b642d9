/**
 * The lines that describe a cluster's nodes: the answer to CLUSTER NODES and the file nodes.conf have the same form,
 * `id host:port@bus[,hostname][,aux=value...] flags primary ping pong epoch link [slots...]`.
 */
import type { NodeId } from '../domain/ids.ts';
import type { SlotRange } from '../domain/slots.ts';

export interface ClusterNodeLine {
  id: NodeId;
  host: string;
  port: number;
  busPort: number;
  /** What follows the address, such as `,,tcp-port=7001,shard-id=...`; kept as it is. */
  aux: string;
  /** As written: myself, master, slave, fail?, fail, handshake, noaddr, nofailover, noflags. */
  flags: readonly string[];
  role: 'primary' | 'replica';
  primaryId: NodeId | null;
  pingSent: string;
  pongReceived: string;
  configEpoch: number;
  linkState: string;
  slots: readonly SlotRange[];
  /** Slots on their way in or out (`[93-<-id]`), as written. */
  moving: readonly string[];
}

export interface NodesConf {
  nodes: ClusterNodeLine[];
  currentEpoch: number;
  lastVoteEpoch: number;
}

/** The lines of a CLUSTER NODES answer. @throws SyntaxError naming the line that has another form */
export const parseClusterNodes = (text: string): ClusterNodeLine[] =>
  text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map(parseLine);

/** The content of nodes.conf, or null when it is not whole: empty, torn, or without a line for the node itself. */
export function parseNodesConf(text: string): NodesConf | null {
  try {
    const lines = text.split('\n').filter((line) => line.trim() !== '');
    const vars = /^vars currentEpoch (\d+) lastVoteEpoch (\d+)/.exec(
      lines.find((line) => line.startsWith('vars ')) ?? '',
    );
    const nodes = lines.filter((line) => !line.startsWith('vars ')).map(parseLine);
    if (!vars || nodes.filter(isMyself).length !== 1) return null;
    return { nodes, currentEpoch: Number(vars[1]), lastVoteEpoch: Number(vars[2]) };
  } catch {
    return null;
  }
}

/** The text of nodes.conf. */
export const formatNodesConf = ({ nodes, currentEpoch, lastVoteEpoch }: NodesConf): string =>
  [...nodes.map(formatLine), `vars currentEpoch ${currentEpoch} lastVoteEpoch ${lastVoteEpoch}`, ''].join('\n');

export const isMyself = ({ flags }: ClusterNodeLine): boolean => flags.includes('myself');

function parseLine(line: string): ClusterNodeLine {
  const [id, address, flagText, primary, pingSent, pongReceived, epoch, linkState, ...owned] = line.trim().split(' ');
  const place = /^(.*):(\d+)@(\d+)((?:,.*)?)$/.exec(address ?? '');
  if (!place || !/^[0-9a-f]{40}$/.test(id!) || !/^\d+$/.test(epoch ?? '') || linkState === undefined) {
    throw new SyntaxError(`not a line about a cluster node: ${JSON.stringify(line)}`);
  }
  const flags = flagText!.split(',');
  return {
    id: id!,
    host: place[1]!,
    port: Number(place[2]),
    busPort: Number(place[3]),
    aux: place[4]!,
    flags,
    role: flags.includes('slave') || flags.includes('replica') ? 'replica' : 'primary',
    primaryId: primary === '-' ? null : primary!,
    pingSent: pingSent!,
    pongReceived: pongReceived!,
    configEpoch: Number(epoch),
    linkState,
    slots: owned.filter((slot) => !slot.startsWith('[')).map(parseSlots),
    moving: owned.filter((slot) => slot.startsWith('[')),
  };
}

function parseSlots(text: string): SlotRange {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (!match) throw new SyntaxError(`not a slot range: ${JSON.stringify(text)}`);
  return [Number(match[1]), Number(match[2] ?? match[1])];
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
