/** Databases that come into being with the data of a backup, or of an archive: asked for, and given their final number of shards. */
import type { Database, NodeAssignment, Secrets } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { NewEvent } from '../../domain/event.ts';
import type { Restore, Seed } from '../../domain/restore.ts';
import { formatSize } from '../../domain/size.ts';
import { ANY_PORT, type DatabaseSpec, DEFAULT_SPEC, memoryBytesPerNode } from '../../domain/spec.ts';
import type { DatabaseStatus } from '../../domain/status.ts';
import { counted } from '../../domain/template.ts';
import type { Clock } from '../../platform/clock.ts';
import type { SpecInput } from '../../protocol/api.ts';
import type { RestoreWish } from '../../protocol/backup-api.ts';
import { aclMark, userPasswords } from '../acl.ts';
import type { Archives } from '../archives/archives.ts';
import { archiveSource } from '../archives/source.ts';
import type { Databases } from '../databases.ts';
import type { SpecChanges } from '../spec-changes.ts';
import type { Backups } from './backups.ts';
import { type RestoreSource, restoreSource } from './restore-source.ts';

export interface RestoreSurroundings {
  databases: Databases;
  specs: Pick<SpecChanges, 'create' | 'update'>;
  clock: Clock;
  record: (event: NewEvent) => void;
  backups: Pick<Backups, 'open'>;
  archives: Pick<Archives, 'open'>;
  oneByOne: <T>(work: () => Promise<T>) => Promise<T>;
}

const SPREAD_TRIES = 5;
const SPREAD_PAUSE_MS = 1_000;

export class Restores {
  readonly #around: RestoreSurroundings;
  readonly #spreading = new Set<string>();

  constructor(around: RestoreSurroundings) {
    this.#around = around;
  }

  /**
   * The record is stored; the rest comes afterwards.
   * @throws what `restoreSource` and `archiveSource` throw, archive_not_found, backup_does_not_fit, and what `ControlPlane.createDatabase` throws
   */
  async restore({ name, from, at, place, spec: wish }: RestoreWish): Promise<Database> {
    const { archives, backups, clock, oneByOne, record, specs } = this.#around;
    const source =
      at === undefined
        ? await restoreSource(from, (id) => backups.open(id, place))
        : await archiveSource(await archives.open(from, place), Math.floor(Date.parse(at) / 1_000));
    const spec: DatabaseSpec = { ...(source.spec ?? DEFAULT_SPEC), port: ANY_PORT, ...said(wish) };
    const { shards } = spec;
    const first = { ...spec, shards: source.shards.length };
    requireRoom(source, first);
    const database = await oneByOne(() =>
      specs.create({ name, spec: first }, (fresh) => seeded(fresh, source, shards, clock.now())),
    );
    const what = counted(source.shards.length, 'shard');
    const then = shards === source.shards.length ? '' : `, and is spread over ${shards} then`;
    const message = `${name} begins with the data of ${source.id}, in ${what}${then}.`;
    record({ kind: 'restore_begun', severity: 'info', database: name, message });
    return database;
  }

  /** A look has shown this: what has all of its data is given as many shards as were asked for. */
  seen(database: Database, status: DatabaseStatus): void {
    const { name, restore } = database;
    const isThere = status.state === 'ready' && status.observedGeneration === status.generation;
    if (restore?.stage !== 'spread' || !isThere || this.#spreading.has(name)) return;
    this.#spreading.add(name);
    void this.#spread(database).finally(() => this.#spreading.delete(name));
  }

  /** What is refused may be so for a moment only. */
  async #spread({ name, restore }: Pick<Database, 'name' | 'restore'>, tries = 1): Promise<void> {
    const { clock, databases, oneByOne, record, specs } = this.#around;
    try {
      await oneByOne(() => specs.update(name, { shards: restore!.shards }, () => {}));
    } catch (error) {
      if (tries < SPREAD_TRIES && databases.find(name)?.restore) {
        await clock.sleep(SPREAD_PAUSE_MS);
        return this.#spread({ name, restore }, tries + 1);
      }
      const reason = error instanceof Error ? error.message : String(error);
      const message = `${name} has all the data of ${restore!.id}, and was not spread over ${counted(restore!.shards, 'shard')}: ${reason}`;
      record({ kind: 'restore_not_spread', severity: 'warning', database: name, message });
    }
    await databases.change(name, (one) => ({ ...one, restore: null })).catch(() => {}); // it is gone
  }
}

const said = (input: SpecInput): Partial<DatabaseSpec> =>
  Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));

/** The engine loads what is too much, and throws keys away then or takes no writes. @throws backup_does_not_fit */
function requireRoom({ id, shards }: RestoreSource, spec: DatabaseSpec): void {
  const room = memoryBytesPerNode(spec);
  const largest = Math.max(...shards.map(({ dataBytes }) => dataBytes));
  if (largest <= room) return;
  const figures = { largest: formatSize(largest), room: formatSize(room), memory: formatSize(largest * shards.length) };
  throw new ValkeeperError('backup_does_not_fit', { id, ...figures });
}

/** The record of a new database with the shards, slots and users of the source. */
function seeded(fresh: Database, source: RestoreSource, shards: number, now: number): Database {
  const seeds: Record<string, Seed> = {};
  let next = 0;
  const nodes = fresh.nodes.map((node): NodeAssignment => {
    if (node.birth.role !== 'primary') return node;
    const shard = source.shards[next++]!;
    seeds[node.id] = shard.seed;
    return { ...node, birth: { role: 'primary', slots: shard.slots } };
  });
  const { kind, id, place, archive } = source;
  const restore: Restore = {
    kind,
    id,
    place,
    ...(archive ? { archive } : {}),
    seeds,
    shards,
    stage: 'load',
    startedAt: now,
  };
  const secrets = secretsOf(fresh, source);
  return { ...fresh, nodes, secrets, restore, aclMark: aclMark({ spec: fresh.spec, secrets, restore }) };
}

/** Passwords stay as they were where the backup has them. */
function secretsOf({ spec, secrets }: Database, { secrets: kept }: RestoreSource): Secrets {
  if (!kept) return secrets;
  const password = spec.auth ? (kept.password ?? secrets.password) : null;
  return { ...secrets, password, users: userPasswords(spec.users, { ...secrets.users, ...kept.users }) };
}
