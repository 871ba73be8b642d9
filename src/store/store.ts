/**
 * Where intent and history are kept: the port. It is as small as what etcd v3, SQLite and a Map can all do: keys in
 * order, a store-wide revision, all-or-nothing commits with compare-and-set, leases, and a watch.
 */
import type { ValkeeperError } from '../domain/errors.ts';
import type { JsonValue } from '../domain/json.ts';

export const STORE_LIMITS = {
  /** Of a key, a prefix or `after`, in bytes of UTF-8. */
  keyBytes: 512,
  /** Of one value, in bytes of its JSON text. */
  valueBytes: 1024 ** 2,
  /** Operations of one commit. etcd takes 128 as a rule, of which four are kept for what the store itself adds. */
  opsPerCommit: 124,
  /** Keys and values of one commit together, in bytes. etcd takes requests of 1.5 MiB as a rule, all included. */
  commitBytes: 1.25 * 1024 ** 2,
  /** Entries of one answer of `list`. */
  listEntries: 1000,
  /** Past changes kept for `watch` with `fromRevision`, in number and in bytes of JSON text. */
  historyChanges: 1000,
  historyBytes: 4 * 1024 ** 2,
  /** How long a lease may be asked to last, in ms. */
  leaseMinMs: 1_000,
  leaseMaxMs: 3_600_000,
  /** A lease that is not kept is over at the latest so long after its time, in ms; see `Store.grantLease`. */
  leaseLateMs: 1_000,
} as const;

/** What may be stored: whatever `JSON.stringify` keeps. Interfaces of ours are welcome, hence `object`. */
export type Storable = JsonValue | object;

/** One key and what it holds. `T` is the reader's word for what was written there; the store does not check it. */
export interface Entry<T = JsonValue> {
  key: string;
  /** The reader's own copy. */
  value: T;
  /** The store's revision at the last change of this key. */
  revision: number;
}

/** What a key must look like at the time of a commit: last changed at this revision, or not there. */
export type Expectation = number | 'absent';

/**
 * One operation of a commit. Deleting what is not there is no change and no conflict, unless a revision is expected.
 * A key that is put with a lease is deleted when that ends; putting it again without one frees it of it. A check
 * changes nothing: it makes the whole commit depend on a key.
 */
export type Op =
  | { put: string; value: Storable; expect?: Expectation; lease?: string }
  | { delete: string; expect?: number }
  | { check: string; expect: Expectation };

/** A promise of the store to keep some keys for a while; see `Store.grantLease`. */
export interface Lease {
  readonly id: string;
  /** How long it lasts each time it is kept: what was asked for, or a little more. */
  readonly ttlMs: number;
}

export type CommitResult =
  /** All of it is durable. `revision` is the one all its changes carry; it does not grow if nothing changed. */
  | { ok: true; revision: number }
  /** Nothing was changed: `conflict` is the first key, in the order of the operations, that was not as expected. */
  | { ok: false; conflict: string; actual: Expectation };

/** One key's change, as a watcher gets it; `value` is the watcher's own copy. */
export type Change<T = JsonValue> =
  | { kind: 'put'; key: string; value: T; revision: number }
  | { kind: 'delete'; key: string; revision: number };

/** Ends a watch: once it has returned, the listener is not called again. */
export type Unwatch = () => void;

export interface ListOptions {
  /** At most so many entries, 1 to `STORE_LIMITS.listEntries`. Without it: all, or an error if they are more than that. */
  limit?: number | undefined;
  /** Only keys behind this one. */
  after?: string | undefined;
}

export interface WatchOptions {
  /** Begin with the changes of this revision, though they are past; without it, with the first change to come. */
  fromRevision?: number | undefined;
  /**
   * Called once when the watch cannot go on without a gap (store_history_gone): it has ended then. Only a store shared
   * by several processes can lose changes, after it was out of reach for long. Without this it is an uncaught exception.
   */
  onGap?: ((error: ValkeeperError) => void) | undefined;
}

/**
 * Every method raises `store_limit` for what exceeds `STORE_LIMITS` or is no valid key or value (keys: not empty,
 * well-formed Unicode without control characters and U+10FFFF; values: what JSON has a text for), and `store_closed`
 * after `close`; the others also what the medium raises (see openSqliteStore, openEtcdStore).
 */
export interface Store {
  /** Like `list`, it sees every commit that was answered before, whoever made it. */
  get<T = JsonValue>(key: string): Promise<Entry<T> | null>;
  /** The entries whose keys begin with `prefix` (all of them for ''), in the order of their keys' UTF-8 bytes. */
  list<T = JsonValue>(prefix: string, options?: ListOptions): Promise<Entry<T>[]>;
  /**
   * All or nothing. Conflicts are an answer, not an exception. No key may appear twice. Commits of one store take
   * effect in the order in which they were called. When it resolves, the change is durable; watchers hear of it at
   * about the same time.
   * @throws store_lease_gone when an operation names a lease that has ended: nothing was changed
   */
  commit(ops: readonly Op[]): Promise<CommitResult>;
  /**
   * Every committed change under `prefix`, once, in order of revision (within one commit: of its operations; of the
   * keys of a lease that ended: of their names), after it is durable and never inside a call of `commit`. To follow a
   * state without a gap: `revision()`, `watch` from the next one, then `list`, and ignore changes that the entries
   * already have. An exception in a listener is an uncaught exception of the process; other listeners still hear.
   * @throws store_history_gone when the changes since `fromRevision` are no longer kept
   */
  watch<T = JsonValue>(prefix: string, listener: (change: Change<T>) => void, options?: WatchOptions): Unwatch;
  /**
   * The revision of the latest commit that changed something; 0 for a new store. Each one is greater than all before:
   * by one in a store of its own, by any number in an etcd that others use too.
   */
  revision(): Promise<number>;
  /**
   * A new lease. It ends when it is revoked, and else
   * - never before `ttlMs` have passed since the grant or the `keepLease` that was answered last *was called*. Who
   *   counts from there, on a clock of his own, never believes in a lease that has ended;
   * - at the latest `ttlMs` and `STORE_LIMITS.leaseLateMs` after it, while the store runs undisturbed. What disturbs
   *   it (its process stopped, etcd without a majority or with a new leader) may prolong a lease, by up to `ttlMs`
   *   each time.
   * Its keys are deleted in one commit then. A store that belongs to one process, once closed or crashed, ends all
   * leases as it is opened again: their holder is gone.
   * @param ttlMs `STORE_LIMITS.leaseMinMs` to `leaseMaxMs`
   */
  grantLease(ttlMs: number): Promise<Lease>;
  /** Lets a lease last its whole time from now. False when it has ended. */
  keepLease(id: string): Promise<boolean>;
  /** Ends a lease and deletes its keys; nothing happens if it has ended. */
  revokeLease(id: string): Promise<void>;
  /** Releases the medium and ends all watches; changes not yet delivered are not delivered. May be called twice. */
  close(): Promise<void>;
}
