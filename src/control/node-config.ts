/** What a node is made of: valkey.conf directives from the spec, its users, and the nodes.conf it is born with. */
import { ADMIN_USER, BUS_PORT_OFFSET, type Database, type NodeAssignment, specNow } from '../domain/database.ts';
import { placeholderOf } from '../domain/ids.ts';
import { type Directive, settingDirectives } from '../plan/settings.ts';
import type { NodeConfig } from '../protocol/agent-messages.ts';
import { aclFile, sha256 } from './acl.ts';

const HASH_SEED_LENGTH = 32;

/** Everything the agent needs to create the node. */
export const nodeConfig = (database: Database, node: NodeAssignment, birth: 'primary' | 'replica'): NodeConfig => ({
  id: node.id,
  database: database.name,
  databaseUid: database.uid,
  port: node.port,
  tls: node.tls,
  directives: directives(database),
  aclFile: aclFile(database),
  adminPassword: database.secrets.adminPassword,
  nodesConf: birth === 'primary' ? primaryNodesConf(database, node) : replicaNodesConf(node),
  ...(isSeeded(database, node) ? { seeded: true } : {}),
});

/** It begins with the data of a backup. */
export const isSeeded = ({ restore }: Database, { id }: NodeAssignment): boolean =>
  restore?.stage === 'load' && restore.seeds[id] !== undefined;

/** All lines of valkey.conf that are not the agent's: the managed settings and the fixed defaults, each with its reason. Facts: valkey.conf of Valkey 9.1. */
export function directives(database: Pick<Database, 'spec' | 'secrets' | 'uid' | 'reshard' | 'restore'>): Directive[] {
  const { secrets, uid } = database;
  return [
    ...settingDirectives(specNow(database)),
    ['cluster-databases', '16'],
    // The same in all nodes, so that a cursor of SCAN that one of them gave means the same to its successor.
    ['hash-seed', sha256(`hash-seed of ${uid}`).slice(0, HASH_SEED_LENGTH)],
    // Death is told by agents; gossip is the fallback and should not be nervous.
    ['cluster-node-timeout', '5000'],
    // A shard in trouble must not stop the others.
    ['cluster-require-full-coverage', 'no'],
    // Who copies whom is decided by the plan.
    ['cluster-allow-replica-migration', 'no'],
    ['cluster-manual-failover-timeout', '1000'],
    // Slots are handed over once so much is left to send, which is sent while writes wait: under steady writes nothing left never comes.
    ['slot-migration-max-failover-repl-bytes', '1mb'],
    // Of past jobs as many as tell which failed of late; the list is asked for again and again while one runs.
    ['cluster-slot-migration-log-max-len', '32'],
    ['cluster-config-save-behavior', 'best-effort'],
    // The engine would end a replica whose disk is full: as a copy in memory it is worth more, and it catches up by itself.
    ['replica-ignore-disk-write-errors', 'yes'],
    ['repl-diskless-sync', 'yes'],
    ['repl-diskless-sync-delay', '0'],
    // An empty replica reads the copy straight from the socket: in sync a second earlier than over its disk.
    ['repl-diskless-load', 'on-empty-db'],
    ['primaryuser', ADMIN_USER],
    ['primaryauth', secrets.adminPassword],
    ['tcp-keepalive', '60'],
  ];
}

/**
 * A primary is born as the replica of a placeholder that owns its slots and does not exist, and takes them over at
 * once: a replica serves from its first moment, while the engine makes a freshly started primary wait for two seconds
 * (CLUSTER_WRITABLE_DELAY). See docs/adr/0003-born-as-replica.md.
 */
function primaryNodesConf(database: Database, node: NodeAssignment): string {
  if (node.birth.role !== 'primary') throw new Error(`${node.id} was not assigned to be born as a primary`);
  const slots = node.birth.slots.map(([from, to]) => `${from}-${to}`).join(' ');
  // Different epochs from the start: the takeovers of sibling primaries never collide.
  const epoch = database.nodes.filter(({ birth }) => birth.role === 'primary').indexOf(node) + 1;
  const placeholder = placeholderOf(node.id);
  return [
    `${node.id} ${node.host}:${node.port}@${node.port + BUS_PORT_OFFSET} myself,slave ${placeholder} 0 0 0 connected`,
    `${placeholder} ${node.host}:1@2 master - 0 0 ${epoch} connected ${slots}`,
    `vars currentEpoch ${epoch} lastVoteEpoch 0`,
    '',
  ].join('\n');
}

const replicaNodesConf = (node: NodeAssignment): string =>
  [
    `${node.id} ${node.host}:${node.port}@${node.port + BUS_PORT_OFFSET} myself,master - 0 0 0 connected`,
    'vars currentEpoch 0 lastVoteEpoch 0',
    '',
  ].join('\n');
