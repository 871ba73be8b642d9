/** The databases' records in the store: read once, kept in memory, changed only by compare-and-set. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import type { Store } from '../store/store.ts';
import { aclMark, userPasswords } from './acl.ts';

const PREFIX = 'databases/';
const keyOf = (name: string): string => `${PREFIX}${name}`;

/** How often a change is tried again when somebody else changed the record in between. */
const MAX_TRIES = 10;

export class Databases {
  readonly #store: Store;
  readonly #records = new Map<string, { database: Database; revision: number }>();

  private constructor(store: Store) {
    this.#store = store;
  }

  static async open(store: Store): Promise<Databases> {
    const databases = new Databases(store);
    for (const { key, value, revision } of await store.list<Database>(PREFIX)) {
      databases.#records.set(key.slice(PREFIX.length), { database: upToDate(value), revision });
    }
    return databases;
  }

  all(): Database[] {
    return [...this.#records.values()].map(({ database }) => database).sort((a, b) => a.name.localeCompare(b.name));
  }

  find(name: string): Database | undefined {
    return this.#records.get(name)?.database;
  }

  /** @throws database_not_found */
  get(name: string): Database {
    const database = this.find(name);
    if (!database) throw new ValkeeperError('database_not_found', { name });
    return database;
  }

  /** @throws database_exists */
  async add(database: Database): Promise<void> {
    const key = keyOf(database.name);
    const done = await this.#store.commit([{ put: key, value: database, expect: 'absent' }]);
    if (!done.ok) throw new ValkeeperError('database_exists', { name: database.name });
    this.#records.set(database.name, { database, revision: done.revision });
  }

  /** Replaces the record by what `next` makes of it. @throws database_not_found */
  async change(name: string, next: (database: Database) => Database): Promise<Database> {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      const record = this.#records.get(name);
      if (!record) throw new ValkeeperError('database_not_found', { name });
      const database = next(record.database);
      const done = await this.#store.commit([{ put: keyOf(name), value: database, expect: record.revision }]);
      if (done.ok) {
        this.#records.set(name, { database, revision: done.revision });
        return database;
      }
      await this.#reload(name);
    }
    throw new Error(`the record of ${name} changed ${MAX_TRIES} times in a row`);
  }

  async remove(name: string): Promise<void> {
    await this.#store.commit([{ delete: keyOf(name) }]);
    this.#records.delete(name);
  }

  async #reload(name: string): Promise<void> {
    const entry = await this.#store.get<Database>(keyOf(name));
    if (entry) this.#records.set(name, { database: upToDate(entry.value), revision: entry.revision });
    else this.#records.delete(name);
  }
}

/** A record as this version of Valkeeper writes it: an older one lacks what came later. */
function upToDate(stored: Database): Database {
  const spec = { ...DEFAULT_SPEC, ...stored.spec };
  const secrets = { ...stored.secrets, users: userPasswords(spec.users, stored.secrets.users) };
  const wantedPrimaries = stored.wantedPrimaries ?? {};
  const nodes = stored.nodes.map((node) => ({ ...node, tls: node.tls ?? false }));
  return { ...stored, nodes, spec, secrets, wantedPrimaries, aclMark: aclMark({ spec, secrets }) };
}
