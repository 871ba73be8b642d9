/** The administrative commands that Valkeeper uses, typed. Each rejects like `NodeConnection.command`. */
import type { NodeId } from '../domain/ids.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { type ClusterNodeLine, parseClusterNodes } from './cluster-nodes.ts';
import { EngineReplyError, type NodeConnection } from './connection.ts';
import { keyCount, parseInfo, type ReplicationInfo, replicationInfo } from './info.ts';

/** CLUSTER MYID. */
export const myId = async (node: NodeConnection): Promise<NodeId> => String(await node.command('CLUSTER', 'MYID'));

/** CLUSTER MEET: begins a handshake and answers at once. Repeating it is harmless. */
export async function clusterMeet(node: NodeConnection, host: string, port: number, busPort: number): Promise<void> {
  await node.command('CLUSTER', 'MEET', host, port, busPort);
}

/** CLUSTER REPLICATE: refused while the node owns slots or does not know the primary. What the node holds is replaced. */
export async function replicate(node: NodeConnection, primary: NodeId): Promise<void> {
  await node.command('CLUSTER', 'REPLICATE', primary);
}

/** Lossless with the living primary's help; by the vote of the other primaries; or by nobody's leave. */
export type FailoverMode = 'coordinated' | 'force' | 'takeover';

/** CLUSTER FAILOVER on a replica: `OK` means scheduled, not done; ask for the role. A second one restarts the election. */
export async function failover(node: NodeConnection, mode: FailoverMode): Promise<void> {
  const option = mode === 'coordinated' ? [] : [mode.toUpperCase()];
  await node.command('CLUSTER', 'FAILOVER', ...option);
}

/** CLUSTER FORGET: a node that is not known (any more) counts as forgotten. */
export async function forget(node: NodeConnection, id: NodeId): Promise<void> {
  try {
    await node.command('CLUSTER', 'FORGET', id);
  } catch (error) {
    if (!(error instanceof EngineReplyError && error.message.includes('Unknown node'))) throw error;
  }
}

/** ROLE. */
export async function role(node: NodeConnection): Promise<{ role: 'primary' | 'replica' }> {
  const answer = (await node.command('ROLE')) as Reply[];
  return { role: answer[0] === 'master' ? 'primary' : 'replica' };
}

/** What one node says of itself and of the others, in one round trip. */
export interface NodeObservation {
  id: NodeId;
  nodes: ClusterNodeLine[];
  clusterOk: boolean;
  /** `cluster_slots_ok` of CLUSTER INFO. */
  slotsOk: number;
  currentEpoch: number;
  replication: ReplicationInfo;
  loading: boolean;
  keys: number;
  usedMemoryBytes: number;
}

const QUESTIONS = [
  ['CLUSTER', 'MYID'],
  ['CLUSTER', 'NODES'],
  ['CLUSTER', 'INFO'],
  ['INFO', 'replication', 'persistence', 'memory', 'keyspace'],
] as const;

/** Asks a node everything an observation needs. */
export async function observeNode(node: NodeConnection): Promise<NodeObservation> {
  const answers = await node.pipeline(QUESTIONS);
  const [id, nodes, clusterInfo, infoText] = answers.map((answer, index) => {
    if (answer instanceof ReplyError) throw new EngineReplyError(QUESTIONS[index]!.join(' '), answer);
    return String(answer);
  });
  const cluster = parseInfo(clusterInfo!);
  const info = parseInfo(infoText!);
  return {
    id: id!,
    nodes: parseClusterNodes(nodes!),
    clusterOk: cluster.get('cluster_state') === 'ok',
    slotsOk: Number(cluster.get('cluster_slots_ok') ?? 0),
    currentEpoch: Number(cluster.get('cluster_current_epoch') ?? 0),
    replication: replicationInfo(info),
    loading: info.get('loading') === '1',
    keys: keyCount(info),
    usedMemoryBytes: Number(info.get('used_memory') ?? 0),
  };
}
