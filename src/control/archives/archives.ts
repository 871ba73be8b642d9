/** Archives for people: turned on and off, shown, removed; and the loop that keeps those that are on up to date. */
import {
  ARCHIVE_EVERY_SECONDS,
  type ArchiveStatus,
  type ArchiveView,
  momentOf,
  type Span,
} from '../../domain/archive.ts';
import type { Database } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/event.ts';
import { isName } from '../../domain/ids.ts';
import { beyondDays, windowOf } from '../../plan/archive-window.ts';
import type { EndTimer } from '../../platform/clock.ts';
import type { ArchiveWish } from '../../protocol/archive-api.ts';
import type { Databases } from '../databases.ts';
import type { ArchiveRecord, ArchiveRecords } from './records.ts';
import { Shelf } from './shelf.ts';
import { WorkingArchive, type WorkingSurroundings } from './working.ts';

/** Of one archive: a log that grows faster than that for long is not kept up with. */
const BYTES_PER_SECOND = 64 * 1024 ** 2;
const LOOK_MS = 500;
const REQUEST_MS = 5_000;
const TIDY_MS = 3_600_000;
const DAY_SECONDS = 24 * 3_600;

export interface ArchiveSurroundings extends Omit<WorkingSurroundings, 'find' | 'bytesPerSecond' | 'isEncrypted'> {
  databases: Pick<Databases, 'find' | 'get'>;
  records: ArchiveRecords;
  record: (event: NewEvent) => void;
  /** @throws stopping while the fleet stops */
  requireRunning: () => void;
  defaultPlace: string | null;
  /** The present one first. */
  keys: readonly Buffer[];
}

/** Where an archive lies, and whose it is. */
export interface Opened {
  shelf: Shelf;
  database: string;
  uid: string;
  place: string;
}

export class Archives {
  readonly #around: ArchiveSurroundings;
  /** By uid: those that are on. */
  readonly #working = new Map<string, { archive: WorkingArchive; dueAt: number }>();
  #endTimer: EndTimer = () => {};
  #closed = false;
  #tidiedAt = 0;

  constructor(around: ArchiveSurroundings) {
    this.#around = around;
  }

  begin(): void {
    this.#endTimer = this.#around.clock.timer(LOOK_MS, () => {
      void this.#lookAtAll().finally(() => this.#closed || this.begin());
    });
  }

  /** What is under way is given up; the next control plane goes on where it was. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#endTimer();
    await Promise.all([...this.#working.values()].map(({ archive }) => archive.close()));
  }

  /** What is published with a database, by its uid; null while it has none. */
  view(uid: string): ArchiveView | null {
    const record = this.#around.records.find(uid);
    return record?.isOn ? (this.#working.get(uid)?.archive.view(record) ?? null) : null;
  }

  /** @throws database_not_found, being_deleted, archive_refused, backup_place_missing, backup_place_invalid, backup_store_unusable, stopping */
  async set(name: string, wish: ArchiveWish): Promise<ArchiveStatus> {
    const { clock, databases, defaultPlace, keys, records, requireRunning } = this.#around;
    requireRunning();
    const { uid, deleting, spec } = databases.get(name);
    if (deleting) throw new ValkeeperError('being_deleted', { name });
    if (spec.persistence !== 'aof' && spec.persistence !== 'aof-always') {
      const reason = `it keeps no append-only log (its persistence is ${spec.persistence}), of which an archive is made; \`valkeeper db update ${name} --persistence aof\` changes that`;
      throw new ValkeeperError('archive_refused', { name, reason });
    }
    const known = records.find(uid);
    const place = wish.place ?? known?.place ?? defaultPlace;
    if (place === null) throw new ValkeeperError('backup_place_missing', { name });
    if (known && known.place !== place) {
      const reason = `it lies in ${known.place}; \`valkeeper backup archive ${name} --delete\` removes it from there`;
      throw new ValkeeperError('archive_refused', { name, reason });
    }
    await Shelf.open(place, { name, uid }, keys); // that it can be one
    const next: ArchiveRecord = {
      ...{ name: uid, database: name, place, isOn: true, encrypted: known?.encrypted ?? keys.length > 0 },
      everySeconds: wish.everySeconds ?? known?.everySeconds ?? ARCHIVE_EVERY_SECONDS,
      keepDays: wish.keepDays === undefined ? (known?.keepDays ?? null) : wish.keepDays,
      since: known?.isOn ? known.since : clock.now(),
    };
    if (known) await records.change(uid, () => next);
    else await records.add(next);
    if (!known?.isOn)
      this.#tell('archive_begun', name, `The append-only log of ${name} is archived in ${place} from now on.`);
    const working = await this.#workingOf(next);
    working.dueAt = 0;
    return this.show(uid);
  }

  /** Nothing is added any more; what is there stays. @throws archive_not_found, stopping */
  async turnOff(name: string): Promise<ArchiveStatus> {
    this.#around.requireRunning();
    const { name: uid, isOn } = this.#around.records.named(name);
    if (isOn) await this.#end(uid, 'as asked');
    return this.show(uid);
  }

  /** @throws archive_not_found, backup_damaged, backup_key_missing, backup_key_wrong, backup_store_unusable */
  async show(name: string): Promise<ArchiveStatus> {
    const record = this.#around.records.named(name);
    const working = this.#working.get(record.name)?.archive;
    if (record.isOn && working?.isKnown) return statusOf(record, working.window, working.problem);
    const { layouts, chains } = await (await this.#shelfOf(record)).read();
    return statusOf(record, windowOf(layouts, chains), null);
  }

  /** Those that are known here, without what they reach where they are off. */
  list(): ArchiveStatus[] {
    return this.#around.records.all().map((record) => {
      const working = this.#working.get(record.name)?.archive;
      return statusOf(record, working?.window ?? [], working?.problem ?? null);
    });
  }

  /** All of it, for good. @throws archive_not_found, backup_store_unusable, stopping */
  async remove(name: string): Promise<ArchiveStatus> {
    const { records, requireRunning } = this.#around;
    requireRunning();
    const { name: uid, database, isOn } = records.named(name);
    if (isOn) await this.#end(uid, 'as asked');
    const record = records.get(uid);
    await (await this.#shelfOf(record)).removeAll();
    await records.remove(uid);
    this.#tell('archive_removed', database, `The archive of ${database} was removed from ${record.place}.`);
    return statusOf(record, [], null);
  }

  /** Where the archive of a database lies, by its name or uid. @throws archive_not_found, backup_place_invalid, backup_store_unusable */
  async open(name: string, place?: string): Promise<Opened> {
    const { keys, records } = this.#around;
    if (place === undefined) {
      const record = records.named(name);
      const { name: uid, database } = record;
      return { shelf: await this.#shelfOf(record), database, uid, place: record.place };
    }
    const [database = name, said] = name.split('/');
    if (!isName(database)) throw new ValkeeperError('archive_not_found', { name });
    const uids = await Shelf.uidsIn(place, database);
    const uid = said ?? (uids.length === 1 ? uids[0] : undefined);
    if (uid === undefined || !uids.includes(uid)) {
      const which = uids.map((one) => `${database}/${one}`).join(', ');
      throw new ValkeeperError('archive_not_found', {
        name: uids.length > 1 ? `${database} alone in ${place}, but ${which}` : `${name} in ${place}`,
      });
    }
    return { shelf: await Shelf.open(place, { name: database, uid }, keys), database, uid, place };
  }

  async #lookAtAll(): Promise<void> {
    const { clock, databases, log, records } = this.#around;
    if (clock.now() - this.#tidiedAt > TIDY_MS) {
      this.#tidiedAt = clock.now();
      await this.#tidyThoseOff();
    }
    for (const record of records.all().filter(({ isOn }) => isOn)) {
      try {
        if (databases.find(record.database)?.uid !== record.name) {
          await this.#end(record.name, 'the database is gone; what is there can still be restored');
          continue;
        }
        const working = await this.#workingOf(record);
        if (working.dueAt > clock.now()) continue;
        working.dueAt = clock.now() + record.everySeconds * 1_000;
        void working.archive.look(record);
      } catch (error) {
        log.error({ err: error, database: record.database }, 'An archive was not looked after.');
      }
    }
  }

  /** Of those that are off, too, nothing is kept longer than was asked for. */
  async #tidyThoseOff(): Promise<void> {
    const { clock, log, records } = this.#around;
    for (const record of records.all().filter(({ isOn, keepDays }) => !isOn && keepDays !== null)) {
      const { database, name, keepDays } = record;
      const cutoff = clock.now() / 1_000 - keepDays! * DAY_SECONDS;
      try {
        const shelf = await this.#shelfOf(record);
        const { chains } = await shelf.read();
        const old = beyondDays(chains, new Set(), cutoff);
        if (old.length === chains.length) await this.remove(name);
        else for (const chain of old) await shelf.removeChain(chain);
      } catch (error) {
        log.warn({ err: error, database }, 'What is kept no longer of an archive was not removed.');
      }
    }
  }

  async #workingOf(record: ArchiveRecord): Promise<{ archive: WorkingArchive; dueAt: number }> {
    const present = this.#working.get(record.name);
    if (present) return present;
    const { databases } = this.#around;
    const shelf = await this.#shelfOf(record);
    const find = (name: string): Database | undefined => databases.find(name);
    const around = {
      ...this.#around,
      find,
      bytesPerSecond: BYTES_PER_SECOND,
      isEncrypted: this.#around.keys.length > 0,
    };
    const working = this.#working.get(record.name) ?? { archive: new WorkingArchive(around, shelf), dueAt: 0 };
    this.#working.set(record.name, working);
    return working;
  }

  async #end(uid: string, why: string): Promise<void> {
    const { agents, databases, records } = this.#around;
    const { database } = await records.change(uid, (one) => ({ ...one, isOn: false }));
    const working = this.#working.get(uid);
    this.#working.delete(uid);
    await working?.archive.close();
    this.#tell('archive_ended', database, `The append-only log of ${database} is not archived any more: ${why}.`);
    const present = databases.find(database);
    if (present?.uid !== uid) return;
    // An agent that is away lets go by itself, a while later.
    await Promise.all(
      present.nodes.map(({ id, machine }) =>
        agents.request(machine, 'drop_append_log', { id }, REQUEST_MS).catch(() => {}),
      ),
    );
  }

  #shelfOf({ place, database, name, encrypted }: ArchiveRecord): Promise<Shelf> {
    return Shelf.open(place, { name: database, uid: name }, this.#around.keys, encrypted);
  }

  #tell(kind: 'archive_begun' | 'archive_ended' | 'archive_removed', database: string, message: string): void {
    this.#around.record({ kind, severity: 'info', database, message });
  }
}

const statusOf = (record: ArchiveRecord, window: readonly Span[], problem: string | null): ArchiveStatus => ({
  database: record.database,
  databaseUid: record.name,
  place: record.place,
  state: record.isOn ? 'on' : 'off',
  everySeconds: record.everySeconds,
  keepDays: record.keepDays,
  encrypted: record.encrypted,
  window: window.map(({ from, to }) => ({ from: momentOf(from), to: momentOf(to) })),
  problem: record.isOn ? problem : null,
});
