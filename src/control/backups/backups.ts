/** Backups for people: made, listed, verified, removed. One at a time of each database. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { BackupManifest } from '../../backup/manifest.ts';
import { type BackupStatus, type BackupTrigger, backupId, backupRate } from '../../domain/backup.ts';
import type { Database } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/event.ts';
import { formatSize } from '../../domain/size.ts';
import { counted } from '../../domain/template.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import type { Databases } from '../databases.ts';
import { Library } from './library.ts';
import type { BackupRecord, BackupRecords } from './records.ts';
import { type TakenPart, type TakeSurroundings, type TakeWish, takeParts } from './take.ts';

/** Of backups that came to nothing so many are remembered. */
const MOST_FAILED = 50;
/** What interrupted backups leave behind in a place is removed when it is so old. */
const LEFTOVER_MS = 24 * 3_600_000;

export interface BackupSurroundings extends TakeSurroundings {
  databases: Databases;
  records: BackupRecords;
  clock: Clock;
  log: Logger;
  record: (event: NewEvent) => void;
  /** @throws stopping while the fleet stops */
  requireRunning: () => void;
  /** Where backups go when nobody says where; null: somebody has to. */
  defaultPlace: string | null;
  /** With the first of them backups are encrypted; the others open those of before. */
  keys: readonly Buffer[];
  version: string;
  engineVersion: string;
}

export class Backups {
  readonly #around: BackupSurroundings;
  /** By database. */
  readonly #running = new Map<string, { id: string; stop: AbortController; over: Promise<unknown> }>();

  constructor(around: BackupSurroundings) {
    this.#around = around;
  }

  /** What was being made when the last control plane ended came to nothing. */
  begin(): void {
    for (const { name, state } of this.#around.records.all()) {
      if (state !== 'running') continue;
      this.#failed(name, 'the control plane that made it has ended').catch((error: unknown) => {
        this.#around.log.warn({ err: error, backup: name }, 'A backup that was interrupted was not noted.');
      });
    }
  }

  /** Those under way are given up. */
  async close(): Promise<void> {
    const all = [...this.#running.values()];
    for (const { stop } of all) stop.abort(new ValkeeperError('stopping'));
    await Promise.allSettled(all.map(({ over }) => over));
  }

  /** The id of the one that is being made of this database; null when none is. */
  runningOf(name: string): string | null {
    return this.#running.get(name)?.id ?? null;
  }

  /**
   * Begins one; it is made afterwards.
   * @throws database_not_found, being_deleted, backup_running, backup_refused, backup_place_missing, backup_place_invalid,
   * backup_store_unusable, stopping
   */
  async create(
    name: string,
    wish: { to?: string | undefined; bytesPerSecond?: number | undefined; trigger?: BackupTrigger },
  ): Promise<BackupStatus> {
    const { clock, databases, defaultPlace, engineVersion, keys, records, requireRunning } = this.#around;
    requireRunning();
    const database = databases.get(name);
    if (database.deleting) throw new ValkeeperError('being_deleted', { name });
    const present = this.#running.get(name);
    if (present) throw new ValkeeperError('backup_running', { name, id: present.id });
    if (database.reshard)
      throw new ValkeeperError('backup_refused', { name, reason: 'its slots are on their way to other shards' });
    if (database.restore) throw new ValkeeperError('backup_refused', { name, reason: 'it is being restored itself' });
    const place = wish.to ?? defaultPlace;
    if (place === null) throw new ValkeeperError('backup_place_missing', { name });
    const library = await Library.open(place, keys);
    const id = backupId(name, clock.now(), randomBytes(4).toString('hex'));
    const record: BackupRecord = {
      name: id,
      id,
      database: name,
      databaseUid: database.uid,
      place,
      state: 'running',
      trigger: wish.trigger ?? 'asked',
      startedAt: this.#now(),
      endedAt: null,
      shards: new Set(database.nodes.map(({ shard }) => shard)).size,
      parts: [],
      skewMs: null,
      encrypted: keys.length > 0,
      engineVersion,
      problem: null,
    };
    const stop = new AbortController();
    const over = Promise.withResolvers<void>();
    this.#running.set(name, { id, stop, over: over.promise });
    try {
      await records.add(record);
    } catch (error) {
      this.#running.delete(name);
      throw error;
    }
    const bytesPerSecond = wish.bytesPerSecond ?? backupRate(availableParallelism());
    void this.#make(library, database, record, { signal: stop.signal, bytesPerSecond }).finally(() => {
      this.#running.delete(name);
      over.resolve();
    });
    return statusOf(record);
  }

  /** Those that are known here, and with a place those that lie there; the newest last. @throws backup_place_invalid, backup_store_unusable */
  async list({
    database,
    place,
  }: {
    database?: string | undefined;
    place?: string | undefined;
  }): Promise<BackupStatus[]> {
    if (place !== undefined) return (await Library.open(place, this.#around.keys)).list(database);
    const known = this.#around.records.all().map(statusOf);
    return known
      .filter((one) => database === undefined || one.database === database)
      .sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
  }

  /** @throws backup_not_found, backup_damaged, backup_store_unusable */
  async show(id: string, place?: string): Promise<BackupStatus> {
    if (place === undefined) return statusOf(this.#around.records.get(id));
    const library = await Library.open(place, this.#around.keys);
    return library.statusOf(await library.get(id));
  }

  /** The manifest and where its parts lie. @throws backup_not_found, backup_unfinished, backup_damaged, backup_store_unusable */
  async open(id: string, place?: string): Promise<{ library: Library; manifest: BackupManifest }> {
    const library = await Library.open(place ?? this.#placeOf(id), this.#around.keys);
    const manifest = await library.get(id);
    requireSame(this.#around.records.find(id), manifest);
    return { library, manifest };
  }

  /** @throws backup_not_found, backup_unfinished */
  #placeOf(id: string): string {
    const { place, state, problem } = this.#around.records.get(id);
    if (state === 'done') return place;
    throw new ValkeeperError('backup_unfinished', { id, reason: problem ?? 'it is being made' });
  }

  /** Reads all of it. @throws what `open` throws, backup_damaged, backup_key_missing, backup_key_wrong */
  async verify(id: string, place?: string): Promise<BackupStatus> {
    const { library, manifest } = await this.open(id, place);
    for (const { part } of manifest.shards) {
      for await (const _ of await library.part(manifest, part)); // it throws where it is not whole
    }
    return library.statusOf(manifest);
  }

  /** @throws backup_not_found, backup_running, backup_store_unusable */
  async remove(id: string, place?: string): Promise<BackupStatus> {
    const { keys, records } = this.#around;
    const known = records.find(id);
    if (place === undefined && !known) throw new ValkeeperError('backup_not_found', { id });
    if (known?.state === 'running') throw new ValkeeperError('backup_running', { name: known.database, id });
    const library = await Library.open(place ?? known!.place, keys);
    const status = known ? statusOf(known) : library.statusOf(await library.get(id));
    await library.remove(status.database, id);
    // A copy elsewhere is not the one that is known.
    if (known && library.place === known.place) await records.remove(id);
    this.#tell('backup_removed', 'info', status.database, `The backup ${id} was removed from ${library.place}.`);
    return { ...status, place: library.place };
  }

  async #make(
    library: Library,
    database: Database,
    record: BackupRecord,
    { signal, bytesPerSecond }: Pick<TakeWish, 'signal' | 'bytesPerSecond'>,
  ): Promise<void> {
    const { clock, records, keys, log } = this.#around;
    const { id, name } = record;
    try {
      const done = (part: TakenPart): void => {
        records.change(name, (one) => ({ ...one, parts: [...one.parts, told(part)] })).catch(() => {}); // told again at the end
      };
      const taken = await takeParts(this.#around, database, {
        store: library.store,
        id,
        key: keys[0] ?? null,
        bytesPerSecond,
        signal,
        done,
      });
      signal.throwIfAborted();
      await library.add(this.#manifestOf(database, record, taken));
      const skewMs = skewOf(taken);
      const endedAt = this.#now();
      await records.change(name, (one) => ({ ...one, state: 'done', parts: taken.map(told), skewMs, endedAt }));
      const bytes = taken.reduce((sum, { rawBytes }) => sum + rawBytes, 0);
      const seconds = Math.round((clock.now() - Date.parse(record.startedAt)) / 100) / 10;
      const message = `${database.name} was backed up to ${record.place} as ${id}: ${counted(taken.length, 'shard')}, ${formatSize(bytes)} in ${seconds} s, their moments ${skewMs} ms apart.`;
      this.#tell('backup_done', 'info', database.name, message);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      await this.#failed(name, reason).catch((failure: unknown) => log.warn({ err: failure, backup: id }, 'not noted'));
    }
  }

  #manifestOf(database: Database, record: BackupRecord, parts: readonly TakenPart[]): Omit<BackupManifest, 'keyId'> {
    const { keys, version, engineVersion } = this.#around;
    const { name, uid, spec, generation, secrets } = database;
    const { password, users } = secrets;
    return {
      id: record.id,
      createdAt: record.startedAt,
      endedAt: this.#now(),
      database: { name, uid, spec, generation },
      engineVersion,
      valkeeperVersion: version,
      rdbVersion: Math.max(...parts.map(({ header }) => header.version)),
      shards: parts.map((part) => ({
        name: part.shard,
        slots: [...part.slots],
        part: { name: part.part, ...part.facts },
        node: part.node,
        machine: part.machine,
        role: part.role,
        replicationId: part.header.fields.get('repl-id') ?? '0'.repeat(40),
        offset: Number(part.header.fields.get('repl-offset') ?? 0),
        keys: part.keys,
        dataBytes: part.dataBytes,
        startedAt: part.startedAtMs,
        forkedAt: part.forkedAtMs,
        endedAt: part.endedAtMs,
      })),
      skewMs: skewOf(parts),
      functions: null, // they are in every part
      labels: { trigger: record.trigger },
      ...(keys.length > 0 ? { secrets: { password, users: { ...users } } } : {}),
    };
  }

  /** It is told, and what is there of it is removed. */
  async #failed(name: string, reason: string): Promise<void> {
    const { records, keys, log } = this.#around;
    const record = await records.change(name, (one) => ({
      ...one,
      state: 'failed',
      problem: reason,
      endedAt: this.#now(),
    }));
    const { database, id, place } = record;
    this.#tell('backup_failed', 'warning', database, `${database} was not backed up to ${place}: ${reason}`);
    await this.#forgetOldFailures(database);
    try {
      const library = await Library.open(place, keys);
      await library.remove(database, id);
      await library.store.sweep(LEFTOVER_MS);
    } catch (error) {
      log.warn({ err: error, backup: id }, 'What is there of a backup that came to nothing could not be removed.');
    }
  }

  async #forgetOldFailures(database: string): Promise<void> {
    const { records } = this.#around;
    const failed = records.all().filter((one) => one.database === database && one.state === 'failed');
    for (const { name } of failed.slice(0, Math.max(0, failed.length - MOST_FAILED))) await records.remove(name);
  }

  #tell(
    kind: 'backup_done' | 'backup_failed' | 'backup_removed',
    severity: 'info' | 'warning',
    database: string,
    message: string,
  ): void {
    this.#around.record({ kind, severity, database, message });
  }

  readonly #now = (): string => new Date(this.#around.clock.now()).toISOString();
}

/** Who can write to a place cannot put a backup that is open into that of one that was closed. @throws backup_damaged */
function requireSame(known: BackupRecord | undefined, { id, keyId, database }: BackupManifest): void {
  if (!known || (known.encrypted === (keyId !== null) && known.databaseUid === database.uid)) return;
  throw new ValkeeperError('backup_damaged', {
    what: `The backup ${id}`,
    problem: 'it is another than the one that was made',
  });
}

const skewOf = (parts: readonly TakenPart[]): number => {
  const moments = parts.map(({ forkedAtMs }) => forkedAtMs);
  return Math.max(...moments) - Math.min(...moments);
};

/** Without what only the manifest says. */
const told = ({
  part: _,
  facts: _facts,
  header: _header,
  startedAtMs: _s,
  forkedAtMs: _f,
  endedAtMs: _e,
  ...rest
}: TakenPart) => rest;

const statusOf = ({ name: _, ...status }: BackupRecord): BackupStatus => status;
