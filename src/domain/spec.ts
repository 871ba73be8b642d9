/** What an app developer asks for, and the bounds within which it can be asked. */

/** How data outlives a process: nothing, a snapshot now and then, or a log flushed every second or at every write. */
export const PERSISTENCE_MODES = ['none', 'snapshot', 'aof', 'aof-always'] as const;
export type Persistence = (typeof PERSISTENCE_MODES)[number];

/** `maxmemory-policy` of valkey.conf. */
export const EVICTION_POLICIES = [
  'noeviction',
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
] as const;
export type EvictionPolicy = (typeof EVICTION_POLICIES)[number];

/** Who may be asked to answer commands that only read. */
export const READ_POLICIES = ['primary', 'replica', 'nearest-zone'] as const;
export type ReadPolicy = (typeof READ_POLICIES)[number];

/** What a client that asks the endpoint about the cluster is shown: one node that owns all, or the nodes themselves. */
export const CLUSTER_VIEWS = ['endpoint', 'nodes'] as const;
export type ClusterView = (typeof CLUSTER_VIEWS)[number];

/** Whether clients of the endpoint may speak plain text beside TLS, which is offered wherever a machine has a certificate. */
export const CLIENT_TLS = ['optional', 'required'] as const;
export type ClientTls = (typeof CLIENT_TLS)[number];

/** When a write that came through the endpoint is answered: once the primary has it, or once replicas have it as well. */
export const DURABILITIES = ['async', 'acknowledged'] as const;
export type Durability = (typeof DURABILITIES)[number];

/** How slots move: `fast` in large jobs; `gentle` in small ones, so that clients wait less at each hand-over. */
export const PACES = ['fast', 'gentle'] as const;
export type Pace = (typeof PACES)[number];

/** A user beside `default`, with what it may do. */
export interface UserSpec {
  name: string;
  /** Words of the engine's ACL language, such as `~app:* +@read`: keys, channels, commands and databases. */
  rules: string;
}

export interface DatabaseSpec {
  /** Primaries the slots are spread over. */
  shards: number;
  /** Copies of each primary, beside it. */
  replicas: number;
  /** Data of all primaries together, in bytes. */
  memoryBytes: number;
  persistence: Persistence;
  durability: Durability;
  /** With `acknowledged`: replicas that must have a write before it is answered; 1 to `replicas`. */
  acknowledgements: number;
  eviction: EvictionPolicy;
  /** False: anyone who reaches a node may use it. Only on loopback. */
  auth: boolean;
  /** Of the endpoint, at every machine's address; `ANY_PORT` until one has been found. */
  port: number;
  /** Who answers reads that come through the endpoint. */
  read: ReadPolicy;
  /** What CLUSTER SLOTS and its like say at the endpoint. */
  clusterView: ClusterView;
  /** Of clients of the endpoint. */
  tls: ClientTls;
  users: readonly UserSpec[];
  /** How long a machine may be away, or a node not run, before its copies are made anew elsewhere. */
  replaceAfterSeconds: number;
  /** Of a change of the number of shards. */
  pace: Pace;
}

/** Stands for a port that is still to be chosen. */
export const ANY_PORT = 0;
/** Where the search for a free port begins: the one that Redis clients try by themselves. */
export const FIRST_PORT = 6379;

export const SPEC_LIMITS = {
  shards: { min: 1, max: 500 },
  replicas: { min: 0, max: 5 },
  acknowledgements: { min: 1, max: 5 },
  port: { min: 1, max: 65_535 },
  users: { max: 100 },
  replaceAfterSeconds: { min: 5, max: 86_400 },
  /** An empty valkey-server takes about 3 MiB; below this a shard holds nothing worth the process. */
  memoryBytesPerShard: { min: 8 * 1024 ** 2 },
} as const;

export const DEFAULT_SPEC: DatabaseSpec = {
  shards: 3,
  replicas: 1,
  memoryBytes: 256 * 1024 ** 2,
  persistence: 'aof',
  durability: 'async',
  acknowledgements: 1,
  eviction: 'noeviction',
  auth: true,
  port: ANY_PORT,
  read: 'primary',
  clusterView: 'endpoint',
  tls: 'optional',
  users: [],
  replaceAfterSeconds: 60,
  pace: 'fast',
};

/** True when a database of this spec has its data on disk, so that stopping it loses nothing that was flushed. */
export const keepsDataOnDisk = (spec: DatabaseSpec): boolean => spec.persistence !== 'none';

/** Replicas that must have a write before it is answered; 0 with `async`. */
export const requiredAcknowledgements = ({ durability, acknowledgements }: DatabaseSpec): number =>
  durability === 'acknowledged' ? acknowledgements : 0;

/** `maxmemory` of one node, in bytes. */
export const memoryBytesPerNode = (spec: DatabaseSpec): number => Math.floor(spec.memoryBytes / spec.shards);
