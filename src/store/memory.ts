/** A store that lasts as long as its process: for tests. It keeps every promise of the port but to survive. */
import { type Clock, monotonicClock } from '../platform/clock.ts';
import { ChangeFeed } from './change-feed.ts';
import {
  checkKey,
  checkList,
  checkTtl,
  compareKeys,
  findConflict,
  findLeaseGone,
  leaseGone,
  type StoredChange,
  type StoredEntry,
  storeClosed,
  toEntry,
  toList,
  toWrites,
} from './encode.ts';
import { LeaseTable } from './lease-table.ts';
import type { Change, CommitResult, Entry, Lease, ListOptions, Op, Store, Unwatch, WatchOptions } from './store.ts';

/** A new, empty store. @param clock one that never jumps, for its leases */
export function openMemoryStore(clock: Clock = monotonicClock): Store {
  return new MemoryStore(clock);
}

class MemoryStore implements Store {
  readonly #entries = new Map<string, StoredEntry & { lease: string | null }>();
  readonly #feed = new ChangeFeed(0);
  readonly #leases: LeaseTable;
  #revision = 0;
  #open = true;

  constructor(clock: Clock) {
    this.#leases = new LeaseTable(clock, (id) => this.#deleteKeysOf(id));
  }

  async get<T>(key: string): Promise<Entry<T> | null> {
    this.#checkOpen();
    checkKey(key);
    const entry = this.#entries.get(key);
    return entry === undefined ? null : toEntry<T>(entry);
  }

  async list<T>(prefix: string, options: ListOptions = {}): Promise<Entry<T>[]> {
    this.#checkOpen();
    const limit = checkList(prefix, options);
    const { after = '' } = options;
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix) && compareKeys(key, after) > 0);
    const page = keys.sort(compareKeys).slice(0, limit);
    return toList<T>(
      prefix,
      page.map((key) => this.#entries.get(key)!),
    );
  }

  async commit(ops: readonly Op[]): Promise<CommitResult> {
    this.#checkOpen();
    const writes = toWrites(ops);
    const conflict = findConflict(writes, (key) => this.#entries.get(key)?.revision ?? 'absent');
    if (conflict !== undefined) return conflict;
    const gone = findLeaseGone(writes, (lease) => this.#leases.has(lease));
    if (gone !== undefined) throw leaseGone(gone);
    const revision = this.#revision + 1;
    const changes: StoredChange[] = [];
    for (const { kind, key, text, lease } of writes) {
      if (text !== null) this.#entries.set(key, { key, text, revision, lease });
      else if (kind === 'check' || !this.#entries.delete(key)) continue;
      changes.push({ key, text, revision });
    }
    this.#publish(changes);
    return { ok: true, revision: this.#revision };
  }

  watch<T>(prefix: string, listener: (change: Change<T>) => void, options?: WatchOptions): Unwatch {
    this.#checkOpen();
    return this.#feed.watch(prefix, listener, options);
  }

  async revision(): Promise<number> {
    this.#checkOpen();
    return this.#revision;
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#checkOpen();
    checkTtl(ttlMs);
    return this.#leases.grant(ttlMs);
  }

  async keepLease(id: string): Promise<boolean> {
    this.#checkOpen();
    return this.#leases.keep(id);
  }

  async revokeLease(id: string): Promise<void> {
    this.#checkOpen();
    this.#leases.revoke(id);
  }

  async close(): Promise<void> {
    this.#open = false;
    this.#feed.close();
    this.#leases.close();
  }

  #deleteKeysOf(lease: string): void {
    const keys = [...this.#entries.values()].filter((entry) => entry.lease === lease).map(({ key }) => key);
    const changes = keys.sort(compareKeys).map((key) => ({ key, text: null, revision: this.#revision + 1 }));
    for (const key of keys) this.#entries.delete(key);
    this.#publish(changes);
  }

  /** Takes the changes of one commit. */
  #publish(changes: readonly StoredChange[]): void {
    if (changes.length > 0) this.#revision += 1;
    this.#feed.publish(changes);
  }

  #checkOpen(): void {
    if (!this.#open) throw storeClosed();
  }
}
