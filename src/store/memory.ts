/** A store that lasts as long as its process: for tests. It keeps every promise of the port but to survive. */
import { ChangeFeed } from './change-feed.ts';
import {
  checkKey,
  checkList,
  compareKeys,
  findConflict,
  type StoredChange,
  type StoredEntry,
  storeClosed,
  toEntry,
  toList,
  toWrites,
} from './encode.ts';
import type { Change, CommitResult, Entry, ListOptions, Op, Store, Unwatch, WatchOptions } from './store.ts';

/** A new, empty store. */
export function openMemoryStore(): Store {
  return new MemoryStore();
}

class MemoryStore implements Store {
  readonly #entries = new Map<string, StoredEntry>();
  readonly #feed = new ChangeFeed(0);
  #revision = 0;
  #open = true;

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
    const revision = this.#revision + 1;
    const changes: StoredChange[] = [];
    for (const { key, text } of writes) {
      if (text !== null) this.#entries.set(key, { key, text, revision });
      else if (!this.#entries.delete(key)) continue;
      changes.push({ key, text, revision });
    }
    if (changes.length > 0) this.#revision = revision;
    this.#feed.publish(changes);
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

  async close(): Promise<void> {
    this.#open = false;
    this.#feed.close();
  }

  #checkOpen(): void {
    if (!this.#open) throw storeClosed();
  }
}
