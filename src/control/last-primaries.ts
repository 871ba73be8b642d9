/**
 * Which node was last seen as the primary of each shard: for the history, never for a decision, since only the engine
 * knows who is. It lets a control plane that comes back tell what the engine has done while nobody looked.
 */
import type { Database } from '../domain/database.ts';
import type { NewEvent } from '../domain/event.ts';
import { type NodeId, shortId } from '../domain/ids.ts';
import type { DatabaseStatus } from '../domain/status.ts';
import type { Logger } from '../platform/log.ts';
import type { Op, Store } from '../store/store.ts';

const PREFIX = 'primaries/';

/** Of one database. */
interface LastSeen {
  uid: string;
  /** By shard. */
  primaries: Readonly<Record<string, NodeId>>;
}

export class LastPrimaries {
  readonly #store: Store;
  readonly #log: Logger;
  /** By name of the database. */
  readonly #known: Map<string, LastSeen>;
  /** Shards that this control plane has seen with a primary: what changes from then on, it sees happen. */
  readonly #watched = new Set<string>();

  static async open(store: Store, log: Logger): Promise<LastPrimaries> {
    const entries = await store.list<LastSeen>(PREFIX);
    return new LastPrimaries(store, log, new Map(entries.map(({ key, value }) => [key.slice(PREFIX.length), value])));
  }

  private constructor(store: Store, log: Logger, known: Map<string, LastSeen>) {
    this.#store = store;
    this.#log = log;
    this.#known = known;
  }

  /** What a look has shown. @returns what has changed while nobody looked */
  note({ name, uid }: Database, { shards }: DatabaseStatus): NewEvent[] {
    const last = this.#known.get(name);
    const before = last?.uid === uid ? last.primaries : {};
    const seen = shards.flatMap(({ id, primary }) => (primary ? [{ shard: id, node: primary.nodeId }] : []));
    const changed = seen.filter(({ shard, node }) => before[shard] !== node);
    const meanwhile = changed
      .filter(({ shard }) => before[shard] !== undefined && !this.#watched.has(`${uid} ${shard}`))
      .map(({ shard, node }) => changedMeanwhile(name, shard, before[shard]!, node));
    for (const { shard } of seen) this.#watched.add(`${uid} ${shard}`);
    if (changed.length === 0) return [];
    const now = Object.fromEntries(changed.map(({ shard, node }) => [shard, node]));
    const value: LastSeen = { uid, primaries: { ...before, ...now } };
    this.#known.set(name, value);
    this.#write({ put: PREFIX + name, value });
    return meanwhile;
  }

  /** The database is gone. */
  forget(name: string): void {
    this.#known.delete(name);
    this.#write({ delete: PREFIX + name });
  }

  /** What is lost here is a line of history at most: nobody waits for it. */
  #write(op: Op): void {
    this.#store
      .commit([op])
      .catch((error: unknown) => this.#log.warn({ err: error }, 'Who is primary could not be noted.'));
  }
}

function changedMeanwhile(database: string, shard: string, from: NodeId, node: NodeId): NewEvent {
  const message = `While no control plane looked, ${shortId(node)} took the place of ${shortId(from)} as the primary of ${shard} of ${database}.`;
  const details = { from, to: node };
  return { kind: 'primary_changed_meanwhile', severity: 'warning', database, shard, node, message, details };
}
