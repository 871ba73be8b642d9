/**
 * The administrative commands that Valkeeper uses, typed. Each rejects like `NodeCommands.command`. `OK` says that
 * the node has taken the command; whether it came about, the next observation tells.
 */
import type { FailoverMode } from '../domain/failover.ts';
import type { NodeId } from '../domain/ids.ts';
import type { SlotRange } from '../domain/slots.ts';
import type { FailingWrite } from '../domain/view.ts';
import { MANAGED_SETTINGS } from '../plan/settings.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import { type ClusterNodeLine, parseClusterNodes } from './cluster-nodes.ts';
import { EngineReplyError, EngineUnreachable, type NodeCommands } from './connection.ts';
import {
  type InfoFields,
  keyCount,
  numberField,
  parseInfo,
  type ReplicationInfo,
  replicationInfo,
  textField,
} from './info.ts';

/** CLUSTER MYID. */
export const myId = async (node: NodeCommands): Promise<NodeId> => String(await node.command('CLUSTER', 'MYID'));

/**
 * CLUSTER MEET: begins a handshake and answers at once; the handshake can fail in silence. Repeating it is harmless.
 * When every pair is introduced at once, all know all within half a second; from one node only it takes seconds.
 */
export async function clusterMeet(node: NodeCommands, host: string, port: number, busPort: number): Promise<void> {
  await node.command('CLUSTER', 'MEET', host, port, busPort);
}

/** CLUSTER ADDSLOTSRANGE: refused when one of the slots has an owner in this node's eyes. */
export async function addSlotsRanges(node: NodeCommands, ranges: readonly SlotRange[]): Promise<void> {
  await node.command('CLUSTER', 'ADDSLOTSRANGE', ...ranges.flat());
}

/** CLUSTER SET-CONFIG-EPOCH: possible only while the node knows no other and its epoch is zero. */
export async function setConfigEpoch(node: NodeCommands, epoch: number): Promise<void> {
  await node.command('CLUSTER', 'SET-CONFIG-EPOCH', epoch);
}

/** CLUSTER REPLICATE: refused while the node owns slots or does not know the primary. What the node holds is replaced. */
export async function replicate(node: NodeCommands, primary: NodeId): Promise<void> {
  await node.command('CLUSTER', 'REPLICATE', primary);
}

/**
 * A takeover that no log and no replica hears of. Valkey 9.1.2 carries it out within the command, and where that removes
 * keys (of a slot migration that the dead primary had under way) the command itself goes to the append-only log and to
 * the replicas, as what has changed data does. Started from that log, whoever reads it takes over from its own successor.
 */
export const TAKEOVER = "redis.set_repl(redis.REPL_NONE) return redis.call('CLUSTER', 'FAILOVER', 'TAKEOVER')";

/** CLUSTER FAILOVER on a replica: `OK` means scheduled, not done; ask for the role. A second one restarts the election. */
export async function failover(node: NodeCommands, mode: FailoverMode): Promise<void> {
  if (mode === 'takeover') await node.command('EVAL', TAKEOVER, 0);
  else await node.command('CLUSTER', 'FAILOVER', ...(mode === 'force' ? ['FORCE'] : []));
}

/**
 * CLUSTER FORGET: a node that is not known (any more) counts as forgotten. For one minute gossip does not bring it
 * back; after that it does, as long as one other node still knows it.
 */
export async function forget(node: NodeCommands, id: NodeId): Promise<void> {
  try {
    await node.command('CLUSTER', 'FORGET', id);
  } catch (error) {
    if (!(error instanceof EngineReplyError && error.message.includes('Unknown node'))) throw error;
  }
}

/**
 * CLUSTER RESET: forgets every other node and all slots; a replica becomes an empty primary. `hard` makes it a new node,
 * with another id and epoch zero. Refused on a primary that has keys.
 */
export async function reset(node: NodeCommands, kind: 'hard' | 'soft'): Promise<void> {
  await node.command('CLUSTER', 'RESET', kind.toUpperCase());
}

/**
 * A write that leaves nothing behind (set and deleted in one transaction), waited for until a replica has it: the one
 * proof that writes are streamed, and not only that a link is up. The first acknowledgement of an offset comes with it.
 * @param key of a slot that the node owns
 */
export async function probeReplication(node: NodeCommands, key: string, timeoutMs: number): Promise<number> {
  const replies = await node.pipeline([['MULTI'], ['SET', key, ''], ['DEL', key], ['EXEC'], ['WAIT', 1, timeoutMs]]);
  const refused = replies.find((reply) => reply instanceof ReplyError);
  if (refused) throw new EngineReplyError('SET', refused);
  return Number(replies.at(-1));
}

/**
 * WAIT for more replicas than there are: the node asks those it has what they have got, which is itself a part of the
 * stream. So a primary without slots, to which nobody can write, shows that it streams.
 */
export async function askReplicas(node: NodeCommands, timeoutMs: number): Promise<void> {
  await node.command('WAIT', MORE_THAN_ALL, timeoutMs);
}

/** CLIENT PAUSE WRITE: commands that write wait, for so long at most; those that read go on. */
export async function pauseWrites(node: NodeCommands, pauseMs: number): Promise<void> {
  await node.command('CLIENT', 'PAUSE', pauseMs, 'WRITE');
}

/** CLIENT UNPAUSE: what waits is carried out. */
export async function resumeWrites(node: NodeCommands): Promise<void> {
  await node.command('CLIENT', 'UNPAUSE');
}

/** ROLE: the cheapest question that tells whether a promotion has come about. */
export async function role(node: NodeCommands): Promise<{ role: 'primary' | 'replica' }> {
  const answer = (await node.command('ROLE')) as Reply[];
  return { role: answer[0] === 'master' ? 'primary' : 'replica' };
}

/** CONFIG SET of all settings or, when one is refused, none. Lost at the next start. */
export async function configSet(node: NodeCommands, settings: Readonly<Record<string, string>>): Promise<void> {
  await node.command('CONFIG', 'SET', ...Object.entries(settings).flat());
}

/**
 * WAIT: how many replicas have acknowledged this connection's earlier writes, once `count` have or `timeoutMs` are
 * over. It counts and undoes nothing. Commands behind it wait too.
 * @throws RangeError for a timeout that is not shorter than the connection's own
 */
export async function waitReplicas(node: NodeCommands, count: number, timeoutMs: number): Promise<number> {
  if (timeoutMs < 1 || timeoutMs >= node.commandTimeoutMs) {
    throw new RangeError(`WAIT may take 1 to ${node.commandTimeoutMs - 1} ms on this connection, not ${timeoutMs}`);
  }
  return Number(await node.command('WAIT', count, timeoutMs));
}

/**
 * SHUTDOWN: done when the node closes the connection. With `save` it writes its snapshot first whether or not it is
 * configured to, and goes on running if that fails. It may wait for its replicas, by default up to ten seconds.
 */
export async function shutdown(node: NodeCommands, mode: 'save' | 'nosave'): Promise<void> {
  try {
    await node.command('SHUTDOWN', mode.toUpperCase());
  } catch (error) {
    if (!(error instanceof EngineUnreachable && error.reason === 'closed')) throw error;
  }
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
  countedMemoryBytes: number;
  dataBytes: number;
  failingWrites: FailingWrite[];
  refusesWrites: boolean;
  /** Since it was started. */
  delayedFsyncs: number;
  /** The managed settings, values as CONFIG GET shows them. */
  settings: Readonly<Record<string, string>>;
  userNames: string[];
  logComplete: boolean;
  saving: boolean;
}

const MORE_THAN_ALL = 1_000_000;

const QUESTIONS = [
  ['CLUSTER', 'MYID'],
  ['CLUSTER', 'NODES'],
  ['CLUSTER', 'INFO'],
  ['INFO', 'replication', 'persistence', 'memory', 'keyspace'],
  ['CONFIG', 'GET', ...MANAGED_SETTINGS],
  ['ACL', 'USERS'],
] as const;

/**
 * Asks a node everything an observation needs, by CLUSTER MYID, CLUSTER NODES, CLUSTER INFO, INFO, CONFIG GET and ACL USERS.
 * It answers while it loads its data, too. @throws SyntaxError when an answer has not the form it should have
 */
export async function observeNode(node: NodeCommands): Promise<NodeObservation> {
  const answers = await node.pipeline(QUESTIONS);
  for (const [index, answer] of answers.entries()) {
    if (answer instanceof ReplyError) throw new EngineReplyError(QUESTIONS[index]!.join(' '), answer);
  }
  const [id, nodes, clusterInfo, infoText] = answers.slice(0, 4).map(String);
  const cluster = parseInfo(clusterInfo!);
  const info = parseInfo(infoText!);
  const settings = settingsOf(answers[4]!);
  return {
    id: id!,
    nodes: parseClusterNodes(nodes!),
    clusterOk: textField(cluster, 'cluster_state') === 'ok',
    slotsOk: numberField(cluster, 'cluster_slots_ok'),
    currentEpoch: numberField(cluster, 'cluster_current_epoch'),
    replication: replicationInfo(info),
    loading: numberField(info, 'loading') === 1,
    keys: keyCount(info),
    usedMemoryBytes: numberField(info, 'used_memory'),
    countedMemoryBytes: numberField(info, 'used_memory') - numberField(info, 'mem_not_counted_for_evict'),
    dataBytes: dataBytes(info),
    ...writesOf(info, settings),
    delayedFsyncs: info.has('aof_delayed_fsync') ? numberField(info, 'aof_delayed_fsync') : 0,
    settings,
    userNames: Array.isArray(answers[5]) ? answers[5].map(String) : [],
    logComplete: isLogComplete(info),
    saving: numberField(info, 'rdb_bgsave_in_progress') === 1,
  };
}

/** Used memory that is neither the empty process nor there for connections, replicas or the log (INFO memory). */
function dataBytes(info: InfoFields): number {
  const other = ['used_memory_startup', 'mem_total_replication_buffers', 'mem_clients_normal', 'mem_aof_buffer'];
  return Math.max(
    0,
    other.reduce((left, name) => left - numberField(info, name), numberField(info, 'used_memory')),
  );
}

/** After it is switched on, the append-only file is first written as a whole; only then does a start find all in it. */
const isLogComplete = (info: InfoFields): boolean =>
  numberField(info, 'aof_enabled') === 1 &&
  numberField(info, 'aof_rewrite_in_progress') === 0 &&
  numberField(info, 'aof_rewrite_scheduled') === 0 &&
  textField(info, 'aof_last_bgrewrite_status') === 'ok';

/** What fails, and whether writes are refused for it (`writeCommandsDeniedByDiskError` of Valkey 9.1). */
function writesOf(
  info: InfoFields,
  settings: Readonly<Record<string, string>>,
): Pick<NodeObservation, 'failingWrites' | 'refusesWrites'> {
  const fails = (name: string): boolean => textField(info, name) !== 'ok';
  const isLogging = numberField(info, 'aof_enabled') === 1;
  const failingWrites: FailingWrite[] = [];
  if (isLogging && fails('aof_last_write_status')) failingWrites.push('log');
  if (isLogging && fails('aof_last_bgrewrite_status')) failingWrites.push('rewrite');
  const keepsSnapshots = (settings['save'] ?? '') !== '';
  if (keepsSnapshots && fails('rdb_last_bgsave_status')) failingWrites.push('snapshot');
  return { failingWrites, refusesWrites: failingWrites.some((one) => one !== 'rewrite') };
}

function settingsOf(reply: Reply): Record<string, string> {
  const list = reply instanceof Map ? [...reply].flat() : Array.isArray(reply) ? reply : [];
  const settings: Record<string, string> = {};
  for (let at = 0; at < list.length; at += 2) {
    const name = String(list[at]);
    settings[name] = ofReplicas(name, String(list[at + 1]));
  }
  return settings;
}

/** Of the three classes of buffer limits only the replicas' is set; CONFIG GET shows all, and calls it by its old name. */
function ofReplicas(name: string, value: string): string {
  const limits = name === 'client-output-buffer-limit' ? /\bslave (\d+ \d+ \d+)/.exec(value) : null;
  return limits ? `replica ${limits[1]}` : value;
}

/** ACL LOAD: the users become those of the ACL file; clients of users that are not in it any more are closed. */
export async function loadUsers(node: NodeCommands): Promise<void> {
  await node.command('ACL', 'LOAD');
}

/** What the engine has against the rules of a user, tried on a user that cannot enter and is gone at once; null when nothing. */
export async function rulesMistake(node: NodeCommands, trialName: string, rules: string): Promise<string | null> {
  const [set] = await node.pipeline([
    ['ACL', 'SETUSER', trialName, ...rules.split(' ').filter(Boolean), 'off'],
    ['ACL', 'DELUSER', trialName],
  ]);
  return set instanceof ReplyError ? set.message : null;
}
