/** A database in words and columns. */
import { shortId } from '../domain/ids.ts';
import { formatSize } from '../domain/size.ts';
import { formatSlotsBriefly } from '../domain/slots.ts';
import type { DatabaseSpec } from '../domain/spec.ts';
import type {
  Condition,
  DatabaseArchive,
  DatabaseStatus,
  NodeStatus,
  ReplicaStatus,
  ShardStatus,
} from '../domain/status.ts';
import { counted } from '../domain/template.ts';
import { describeReshard } from './describe-reshard.ts';
import { table } from './table.ts';

/** State, shards with their nodes, and conditions. */
export function describeDatabase(database: DatabaseStatus): string {
  const { name, state, spec, generation, observedGeneration, shards, conditions, endpoint } = database;
  const reached =
    generation === observedGeneration ? `${generation}` : `${generation} (reached: ${observedGeneration})`;
  return [
    `${name}: ${state}, generation ${reached}\n${describeSpec(spec)}${endpoint ? `\nendpoint ${endpoint.url}` : ''}`,
    table(['SHARD', 'SLOTS', 'ROLE', 'NODE', 'ADDRESS', 'MACHINE', 'STATE', 'LAG'], shards.flatMap(shardRows)),
    ...(database.reshard ? [describeReshard(database)] : []),
    ...(database.archive ? [describeArchived(database.archive)] : []),
    ...(conditions.length > 0 ? [conditions.map(describeCondition).join('\n')] : []),
  ].join('\n\n');
}

/** What can be restored, in one line. */
const describeArchived = ({ place, from, until }: DatabaseArchive): string =>
  `archived in ${place}: ${from === null || until === null ? 'nothing can be restored yet' : `can be restored as it was from ${from} to ${until}`}`;

/** What was asked for, in one line. */
export const describeSpec = ({
  shards,
  replicas,
  memoryBytes,
  persistence,
  durability,
  acknowledgements,
  eviction,
  auth,
  read,
  clusterView,
  tls,
  users,
}: DatabaseSpec): string =>
  [
    counted(shards, 'shard'),
    `${counted(replicas, 'replica')} each`,
    formatSize(memoryBytes),
    `persistence ${persistence}`,
    ...(durability === 'async' ? [] : [`writes acknowledged by ${counted(acknowledgements, 'replica')}`]),
    `eviction ${eviction}`,
    auth ? 'password' : 'NO PASSWORD',
    ...(read === 'primary' ? [] : [`reads by ${read}`]),
    ...(clusterView === 'endpoint' ? [] : ['cluster clients see the nodes']),
    ...(tls === 'required' ? ['TLS required'] : []),
    ...(users.length === 0 ? [] : [`users ${users.map(({ name }) => name).join(' ')}`]),
  ].join(', ');

function shardRows({ id, slots, primary, replicas }: ShardStatus): string[][] {
  const first = primary ? nodeCells('primary', primary, '') : ['primary', 'none', '', '', 'nobody serves it', ''];
  const rest = replicas.map((replica) => ['', '', ...nodeCells('replica', replica, describeLag(replica))]);
  return [[id, formatSlotsBriefly(slots), ...first], ...rest];
}

const nodeCells = (role: string, { nodeId, host, port, machine, state }: NodeStatus, lag: string): string[] => [
  role,
  shortId(nodeId),
  `${host}:${port}`,
  machine,
  state,
  lag,
];

const describeLag = ({ lagBytes, inSync }: ReplicaStatus): string =>
  [lagBytes === null ? 'unknown' : `${lagBytes} bytes`, ...(inSync ? [] : ['not in sync'])].join(', ');

const describeCondition = ({ severity, code, message, advice, lastTry, since }: Condition): string =>
  [
    `${severity}: ${message} (${code}, since ${since})`,
    `  ${advice}`,
    ...(lastTry ? [`  Tried, and failed: ${lastTry}`] : []),
  ].join('\n');
