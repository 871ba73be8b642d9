/** The failovers that agents made, or that were asked for: kept in the store, the latest of each database, and told once in the history. */
import type { Database } from '../domain/database.ts';
import type { NewEvent } from '../domain/event.ts';
import { describeFailover, FAILOVER_LIMITS, type FailoverRecord, WAITS_OVER_MS } from '../domain/failover.ts';
import type { NodeId } from '../domain/ids.ts';
import type { JsonValue } from '../domain/json.ts';
import type { Clock } from '../platform/clock.ts';
import type { LogFields, Logger } from '../platform/log.ts';
import { failoverSchema } from '../protocol/failover-schema.ts';
import type { Store } from '../store/store.ts';
import type { Agents } from './agents.ts';

const PREFIX = 'failovers/';
const folderOf = (database: string): string => `${PREFIX}${database}/`;
/** In the order of their times. */
const keyOf = ({ database, startedAt, id }: FailoverRecord): string =>
  `${folderOf(database)}${String(startedAt).padStart(15, '0')}-${id}`;

/** An agent that is told that its record is kept, answers within this time; else it tells it again when it comes back. */
const FORGET_TIMEOUT_MS = 5_000;

export interface FailoverSurroundings {
  agents: Pick<Agents, 'on' | 'request'>;
  store: Store;
  databases: { find(name: string): Pick<Database, 'uid'> | undefined };
  record: (event: NewEvent) => void;
  /** How long endpoints held back commands of late that a node of a database (by uid) took at last, in milliseconds. */
  longestWait: (databaseUid: string, node: NodeId) => Promise<number>;
  clock: Pick<Clock, 'sleep'>;
  log: Logger;
}

export class Failovers {
  readonly #around: FailoverSurroundings;
  /** One record after the other. */
  #queue: Promise<void> = Promise.resolve();

  /** Keeps what agents tell from now on. */
  constructor(around: FailoverSurroundings) {
    this.#around = around;
    around.agents.on('failover', (machine, record, version) => {
      this.#next({ machine }, () => this.#heard(machine, record, version));
    });
  }

  #next(about: LogFields, work: () => Promise<void>): void {
    const { log } = this.#around;
    this.#queue = this.#queue
      .then(work)
      .catch((error: unknown) => log.error({ ...about, err: error }, 'Records of failovers could not be changed.'));
  }

  /** Those of the database, the latest first. @throws what `Store.list` throws */
  async list({ name, uid }: Pick<Database, 'name' | 'uid'>): Promise<FailoverRecord[]> {
    const entries = await this.#around.store.list<FailoverRecord & JsonValue>(folderOf(name));
    const records = entries.map(({ value }): FailoverRecord => value);
    return records.filter(({ databaseUid }) => databaseUid === uid).reverse();
  }

  /** One that was made from here; how long commands waited is added when it is known. */
  note(failover: FailoverRecord): void {
    const { database: name, chosen } = failover;
    this.#next({ database: name }, async () => {
      if (await this.#keep(failover)) this.#around.record(eventOf(failover));
    });
    if (chosen !== null) void this.#noteWait(failover, chosen);
  }

  async #noteWait(failover: FailoverRecord, chosen: NodeId): Promise<void> {
    const { clock, databases, longestWait } = this.#around;
    const { database: name, databaseUid } = failover;
    await clock.sleep(WAITS_OVER_MS);
    const waitedMs = Math.round(await longestWait(databaseUid, chosen));
    this.#next({ database: name }, async () => {
      if (databases.find(name)?.uid === databaseUid) await this.#keep({ ...failover, waitedMs });
    });
  }

  /** A database is gone, and with it what happened to it. */
  forget(name: string): void {
    this.#next({ database: name }, async () => {
      const keys = await this.#keys(name);
      if (keys.length > 0) await this.#around.store.commit(keys.map((key) => ({ delete: key })));
    });
  }

  async #heard(machine: string, told: FailoverRecord, version: number): Promise<void> {
    const { agents, databases, log, record } = this.#around;
    const read = failoverSchema.safeParse(told);
    if (!read.success) log.warn({ machine, problem: read.error.message }, 'An agent told of a failover that is none.');
    else if (databases.find(read.data.database)?.uid === read.data.databaseUid) {
      const failover = { ...read.data, by: machine };
      if (await this.#keep(failover)) record(eventOf(failover));
    }
    // Also what is of no use: it would be told for ever.
    agents.request(machine, 'forget_failover', { id: told.id, version }, FORGET_TIMEOUT_MS).catch(() => {});
  }

  /** @returns whether it is a new one */
  async #keep(failover: FailoverRecord): Promise<boolean> {
    const { store } = this.#around;
    const key = keyOf(failover);
    const present = await this.#keys(failover.database);
    const isNew = !present.includes(key);
    const surplus = present.length + Number(isNew) - FAILOVER_LIMITS.keptPerDatabase;
    const oldest = present.filter((one) => one !== key).slice(0, Math.max(0, surplus));
    await store.commit([{ put: key, value: failover }, ...oldest.map((one) => ({ delete: one }))]);
    return isNew;
  }

  async #keys(name: string): Promise<string[]> {
    return (await this.#around.store.list(folderOf(name))).map(({ key }) => key);
  }
}

function eventOf(failover: FailoverRecord): NewEvent {
  const { database, shard, node, machine, result } = failover;
  return {
    ...{ kind: 'failover', database, shard, node, machine, message: describeFailover(failover) },
    severity: result.state === 'promoted' ? 'warning' : 'error',
    details: { ...failover } as unknown as { [key: string]: JsonValue },
  };
}
