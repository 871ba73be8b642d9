/** Records of one kind in the store: read once, kept in memory, changed only by compare-and-set. */
import { byName } from '../domain/ids.ts';
import type { Op, Storable, Store } from '../store/store.ts';

/** How often a change is tried again when somebody else changed the record in between. */
const MAX_TRIES = 10;

export interface RecordKind<T> {
  /** Of the keys, such as `databases/`. */
  prefix: string;
  /** A stored record as this version of Valkeeper writes it. */
  upToDate: (stored: T) => T;
  notFound: (name: string) => Error;
  exists: (name: string) => Error;
}

export class Records<T extends Storable & { name: string }> {
  /** Called after each change of a record. */
  changed: () => void = () => {};
  readonly #store: Store;
  readonly #kind: RecordKind<T>;
  readonly #records = new Map<string, { record: T; revision: number }>();
  /** All in order, as `all()` told them last; null when one has changed since. */
  #inOrder: readonly T[] | null = null;

  protected constructor(store: Store, kind: RecordKind<T>) {
    this.#store = store;
    this.#kind = kind;
  }

  protected async read(): Promise<this> {
    const { prefix, upToDate } = this.#kind;
    for (const { key, value, revision } of await this.#store.list<T>(prefix)) {
      this.#keep(key.slice(prefix.length), upToDate(value), revision);
    }
    return this;
  }

  /** In the order of their names; the very same list until one of them changes. */
  all(): readonly T[] {
    this.#inOrder ??= [...this.#records.values()].map(({ record }) => record).sort((a, b) => byName(a.name, b.name));
    return this.#inOrder;
  }

  find(name: string): T | undefined {
    return this.#records.get(name)?.record;
  }

  /** @throws the kind's `notFound` */
  get(name: string): T {
    const record = this.find(name);
    if (!record) throw this.#kind.notFound(name);
    return record;
  }

  /** @throws the kind's `exists` */
  async add(record: T): Promise<void> {
    const done = await this.#store.commit([{ put: this.#keyOf(record.name), value: record, expect: 'absent' }]);
    if (!done.ok) throw this.#kind.exists(record.name);
    this.#keep(record.name, record, done.revision);
  }

  /** Replaces the record by what `next` makes of it; the same one is no change. @throws the kind's `notFound` */
  async change(name: string, next: (record: T) => T): Promise<T> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const present = this.#records.get(name);
      if (!present) throw this.#kind.notFound(name);
      const record = next(present.record);
      if (record === present.record) return record;
      const done = await this.#store.commit([{ put: this.#keyOf(name), value: record, expect: present.revision }]);
      if (done.ok) {
        this.#keep(name, record, done.revision);
        return record;
      }
      await this.reload(name);
    }
    throw new Error(`the record of ${name} changed ${MAX_TRIES} times in a row`);
  }

  /**
   * Stores the record in place of the one that was read, together with other changes, or nothing.
   * @returns whether it was stored; else the record has been read anew
   */
  protected async put(record: T, together: readonly Op[]): Promise<boolean> {
    const { name } = record;
    const expect = this.#records.get(name)?.revision ?? 'absent';
    const done = await this.#store.commit([{ put: this.#keyOf(name), value: record, expect }, ...together]);
    if (done.ok) this.#keep(name, record, done.revision);
    else await this.reload(name);
    return done.ok;
  }

  async remove(name: string): Promise<void> {
    await this.#store.commit([{ delete: this.#keyOf(name) }]);
    this.#drop(name);
  }

  #keep(name: string, record: T, revision: number): void {
    this.#records.set(name, { record, revision });
    this.#inOrder = null;
    this.changed();
  }

  #drop(name: string): void {
    this.#records.delete(name);
    this.#inOrder = null;
    this.changed();
  }

  #keyOf(name: string): string {
    return `${this.#kind.prefix}${name}`;
  }

  /** Reads it anew. */
  protected async reload(name: string): Promise<void> {
    const entry = await this.#store.get<T>(this.#keyOf(name));
    if (entry) this.#keep(name, this.#kind.upToDate(entry.value), entry.revision);
    else this.#drop(name);
  }
}
