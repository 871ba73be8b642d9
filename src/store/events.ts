/** The history of the fleet, kept in the store: the latest events, numbered without gaps. */
import { ValkeeperError } from '../domain/errors.ts';
import type { Event, NewEvent } from '../domain/event.ts';
import type { Store, Unwatch } from './store.ts';

export const EVENT_LIMITS = {
  /** Events kept, unless the owner says otherwise; up to two batches more may be there. */
  retention: 10_000,
  /** Events written, and old ones removed, in one commit. */
  batch: 60,
  /** One event, in bytes of its JSON text. */
  eventBytes: 16 * 1024,
  /** Events of one answer. */
  listEvents: 1000,
} as const;

const DEFAULT_LIST_EVENTS = 100;
const PREFIX = 'events/';
const keyOf = (seq: number): string => PREFIX + String(seq).padStart(15, '0');

export interface EventListOptions {
  /** Only events with a greater number, the oldest of them first in line. Without it: the newest. */
  after?: number | undefined;
  /** At most so many, 1 to `EVENT_LIMITS.listEvents`; 100 without it. */
  limit?: number | undefined;
  /** Only events of this database. */
  database?: string | undefined;
}

interface Pending {
  event: Omit<Event, 'seq'>;
  resolve: (event: Event) => void;
  reject: (error: unknown) => void;
}

/** @throws what `Store.list` and `Store.commit` throw */
export async function openEventLog(store: Store, retention: number = EVENT_LIMITS.retention): Promise<EventLog> {
  let first = 1;
  let last = 0;
  for (let more = true; more; ) {
    const page = await store.list<Event>(PREFIX, { after: keyOf(last), limit: EVENT_LIMITS.listEvents });
    if (last === 0) first = page[0]?.value.seq ?? 1;
    last = page.at(-1)?.value.seq ?? last;
    more = page.length === EVENT_LIMITS.listEvents;
  }
  return new EventLog(store, retention, first, last);
}

/** Made by `openEventLog`. One writer per store. */
export class EventLog {
  readonly #store: Store;
  readonly #retention: number;
  /** Number of the oldest event kept; beyond `#last` when there is none. */
  #first: number;
  #last: number;
  #pending: Pending[] = [];
  #writing = false;
  /** Nobody could tell whether the latest events were written. */
  #isUnsure = false;

  constructor(store: Store, retention: number, first: number, last: number) {
    this.#store = store;
    this.#retention = retention;
    this.#first = first;
    this.#last = last;
  }

  /**
   * Records an event; resolves when it is durable. Events appended in one go share a commit.
   * @param nowMs time of the event, in ms since 1970
   * @throws store_limit (the event is too large), and what `Store.commit` throws; after store_outcome_unknown the event
   * may be there all the same
   */
  append(event: NewEvent, nowMs: number): Promise<Event> {
    const stamped = { at: new Date(nowMs).toISOString(), ...event };
    const sizeBytes = Buffer.byteLength(JSON.stringify(stamped));
    if (sizeBytes > EVENT_LIMITS.eventBytes) {
      const problem = `${event.kind} has ${sizeBytes} bytes`;
      const remedy = `At most ${EVENT_LIMITS.eventBytes} bytes.`;
      return Promise.reject(new ValkeeperError('store_limit', { what: 'event', problem, remedy }));
    }
    return new Promise((resolve, reject) => {
      this.#pending.push({ event: stamped, resolve, reject });
      if (!this.#writing) void this.#writeAll();
    });
  }

  /**
   * Events in the order of their numbers.
   * @throws store_limit (limit out of range), and what `Store.list` throws
   */
  async list({ after, limit = DEFAULT_LIST_EVENTS, database }: EventListOptions = {}): Promise<Event[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > EVENT_LIMITS.listEvents) {
      const remedy = `Give a whole number from 1 to ${EVENT_LIMITS.listEvents}.`;
      throw new ValkeeperError('store_limit', { what: 'limit', problem: `${limit} is out of range`, remedy });
    }
    const wanted = (event: Event): boolean => database === undefined || event.database === database;
    return after === undefined ? this.#newest(limit, wanted) : this.#following(after, limit, wanted);
  }

  /** Every event from now on, once, in order, after it is durable. */
  subscribe(listener: (event: Event) => void): Unwatch {
    return this.#store.watch<Event>(PREFIX, (change) => {
      if (change.kind === 'put') listener(change.value);
    });
  }

  async #newest(limit: number, wanted: (event: Event) => boolean): Promise<Event[]> {
    let found: Event[] = [];
    for (let end = this.#last; end >= this.#first && found.length < limit; end -= EVENT_LIMITS.listEvents) {
      const after = Math.max(end - EVENT_LIMITS.listEvents, this.#first - 1);
      found = [...(await this.#page(after, end - after)).filter(wanted), ...found];
    }
    return found.slice(-limit);
  }

  async #following(after: number, limit: number, wanted: (event: Event) => boolean): Promise<Event[]> {
    const found: Event[] = [];
    let from = Math.max(after, this.#first - 1);
    while (from < this.#last && found.length < limit) {
      const page = await this.#page(from, EVENT_LIMITS.listEvents);
      if (page.length === 0) break;
      found.push(...page.filter(wanted));
      from = page.at(-1)!.seq;
    }
    return found.slice(0, limit);
  }

  async #page(after: number, limit: number): Promise<Event[]> {
    const entries = await this.#store.list<Event>(PREFIX, { after: keyOf(after), limit });
    return entries.map(({ value }) => value);
  }

  async #writeAll(): Promise<void> {
    this.#writing = true;
    await null; // what is appended in the same go comes along
    while (this.#pending.length > 0) await this.#write(this.#pending.splice(0, EVENT_LIMITS.batch));
    this.#writing = false;
  }

  async #write(batch: readonly Pending[]): Promise<void> {
    try {
      if (this.#isUnsure) await this.#lookForLast();
      await this.#commit(batch);
    } catch (error) {
      if (error instanceof ValkeeperError && error.code === 'store_outcome_unknown') this.#isUnsure = true;
      for (const { reject } of batch) reject(error);
    }
  }

  async #lookForLast(): Promise<void> {
    const written = await this.#page(this.#last, EVENT_LIMITS.batch);
    this.#last = written.at(-1)?.seq ?? this.#last;
    this.#isUnsure = false;
  }

  async #commit(batch: readonly Pending[]): Promise<void> {
    const events = batch.map(({ event }, index): Event => ({ seq: this.#last + 1 + index, ...event }));
    const kept = this.#last - this.#first + 1 + events.length;
    const trimmed = kept - this.#retention >= EVENT_LIMITS.batch ? EVENT_LIMITS.batch : 0;
    const result = await this.#store.commit([
      ...events.map((event) => ({ put: keyOf(event.seq), value: event, expect: 'absent' as const })),
      ...Array.from({ length: trimmed }, (_, index) => ({ delete: keyOf(this.#first + index) })),
    ]);
    if (!result.ok) throw new ValkeeperError('internal', { detail: `${result.conflict} was written by another` });
    this.#last += events.length;
    this.#first += trimmed;
    batch.forEach(({ resolve }, index) => {
      resolve(events[index]!);
    });
  }
}
