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

export interface DatabaseSpec {
  /** Primaries the slots are spread over. */
  shards: number;
  /** Copies of each primary, beside it. */
  replicas: number;
  /** Data of all primaries together, in bytes. */
  memoryBytes: number;
  persistence: Persistence;
  eviction: EvictionPolicy;
  /** False: anyone who reaches a node may use it. Only on loopback. */
  auth: boolean;
}

export const SPEC_LIMITS = {
  shards: { min: 1, max: 500 },
  replicas: { min: 0, max: 5 },
  /** An empty valkey-server takes about 3 MiB; below this a shard holds nothing worth the process. */
  memoryBytesPerShard: { min: 8 * 1024 ** 2 },
} as const;

export const DEFAULT_SPEC: DatabaseSpec = {
  shards: 3,
  replicas: 1,
  memoryBytes: 256 * 1024 ** 2,
  persistence: 'aof',
  eviction: 'noeviction',
  auth: true,
};

/** True when a database of this spec has its data on disk, so that stopping it loses nothing that was flushed. */
export const keepsDataOnDisk = (spec: DatabaseSpec): boolean => spec.persistence !== 'none';

/** `maxmemory` of one node, in bytes. */
export const memoryBytesPerNode = (spec: DatabaseSpec): number => Math.floor(spec.memoryBytes / spec.shards);
