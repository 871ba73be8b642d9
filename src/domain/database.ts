/** The stored intent: what was asked for and which nodes were assigned to carry it. What can be observed is not stored. */
import type { NodeId } from './ids.ts';
import { type PresentSpec, presentSpec, type Reshard } from './reshard.ts';
import { isLoading, type Restore } from './restore.ts';
import type { SlotRange } from './slots.ts';
import type { DatabaseSpec } from './spec.ts';

/** How a node enters the world: as a primary that owns slots from its first moment, or empty, to become a replica. */
export type Birth = { role: 'primary'; slots: readonly SlotRange[] } | { role: 'replica' };

/** One node's place: fixed from the plan on, whatever role it plays later. */
export interface NodeAssignment {
  id: NodeId;
  /** Name of its shard, such as `shard-1`. */
  shard: string;
  /** Name of its machine. */
  machine: string;
  /** Address it listens on. */
  host: string;
  /** Client port; the cluster bus listens on port + 10000. */
  port: number;
  /** It speaks TLS, and only TLS. The same for all nodes of a database: the cluster bus speaks one or the other. */
  tls: boolean;
  birth: Birth;
}

/** All its nodes speak TLS, or none does. */
export const speaksTls = ({ nodes }: Pick<Database, 'nodes'>): boolean => nodes.some(({ tls }) => tls);

/** It has a node on the machine, or something of one that was replaced may be left there. */
export const isOn = ({ nodes, retired }: Pick<Database, 'nodes' | 'retired'>, machine: string): boolean =>
  nodes.some((node) => node.machine === machine) || retired.some((node) => node.machine === machine);

/** Distance from a node's client port to its bus port (CLUSTER_PORT_INCR in Valkey). */
export const BUS_PORT_OFFSET = 10_000;

export interface Secrets {
  /** Of the user `default`; null when the spec says `auth: false`. */
  password: string | null;
  /** Of the user `valkeeper`, with which Valkeeper and replication enter. */
  adminPassword: string;
  /** Of the users of the spec, by name. */
  users: Readonly<Record<string, string>>;
}

/** A planned switchover that was asked for: brought about, and left alone, until its time is over. */
export interface WantedPrimary {
  node: NodeId;
  /** Milliseconds since the epoch. */
  until: number;
}

/**
 * A primary that nobody hears of, and whose machine is off, a person said: another takes its place. From then on what it
 * claims counts for nothing where anybody else claims the same, whatever its epoch.
 */
export interface Overridden {
  /** When it was said, and until when another may be promoted on the strength of it. Milliseconds since the epoch. */
  at: number;
  until: number;
  /** Who is to take its place; null: whoever the planner chooses. */
  to: NodeId | null;
  /** Further machines that are off. */
  alsoOff: readonly string[];
  /** Even if acknowledged writes are lost by it. */
  loseAcknowledged: boolean;
}

export interface Database {
  name: string;
  /** Tells a database from an earlier one of the same name. */
  uid: string;
  spec: DatabaseSpec;
  /** Grows by one with every change of the spec. */
  generation: number;
  /** ISO time. */
  createdAt: string;
  /** Wanted gone: its nodes are being removed. */
  deleting: boolean;
  /**
   * The latest generation that was fully reached, 0 before the first. From 1 on no node may be born with slots: they
   * have had an owner.
   */
  observedGeneration: number;
  secrets: Secrets;
  /** Tells one version of the nodes' ACL file from another; see `aclMarkOf`. */
  aclMark: string;
  nodes: NodeAssignment[];
  /** Nodes that were replaced and whose agents have not said yet that nothing is left of them. */
  retired: readonly NodeAssignment[];
  /** By shard: which copy is to be its primary. */
  wantedPrimaries: Readonly<Record<string, WantedPrimary>>;
  /** By node: lost primaries, until they are back as replicas or are no longer part of the database. */
  overridden: Readonly<Record<NodeId, Overridden>>;
  /** Slots are on their way to other shards; null when they are where they are to be. */
  reshard: Reshard | null;
  /** It comes into being with the data of a backup; null when it has it, or was made empty. */
  restore: Restore | null;
}

/** The spec as its nodes are to live by it now; see `presentSpec`. Always the same object for the same record. */
export function specNow(database: Pick<Database, 'spec' | 'reshard' | 'restore'>): PresentSpec {
  if (isLoading(database)) return loadingSpec(database.spec);
  if (database.reshard === null) return database.spec;
  const kept = NOW.get(database.reshard);
  if (kept?.of === database.spec) return kept.spec;
  const spec = presentSpec(database.spec, database.reshard);
  NOW.set(database.reshard, { of: database.spec, spec });
  return spec;
}

/** What comes with the data of a backup begins with a snapshot, and keeps it so until others have the data, too. */
function loadingSpec(spec: DatabaseSpec): PresentSpec {
  const kept = LOADING.get(spec) ?? { ...spec, persistence: 'snapshot' };
  LOADING.set(spec, kept);
  return kept;
}

const LOADING = new WeakMap<DatabaseSpec, PresentSpec>();
const NOW = new WeakMap<Reshard, { of: DatabaseSpec; spec: PresentSpec }>();

/** Names of the database's shards, in order. */
export const shardNames = (database: Pick<Database, 'nodes'>): string[] => [
  ...new Set(database.nodes.map((node) => node.shard)),
];

/** The engine's user for Valkeeper itself and for replication. */
export const ADMIN_USER = 'valkeeper';

/**
 * Every ACL file has a user that can do nothing and whose name ends in the file's mark: so a node's list of users tells
 * which version of the file it has.
 */
export const ACL_MARK_PREFIX = `${ADMIN_USER}:acl:`;

/** The mark in a list of user names; null when there is none. */
export function aclMarkOf(userNames: readonly string[]): string | null {
  const name = userNames.find((one) => one.startsWith(ACL_MARK_PREFIX));
  return name === undefined ? null : name.slice(ACL_MARK_PREFIX.length);
}
