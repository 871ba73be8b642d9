/** Backups as they lie in a place: manifests and parts, by database and id. */
import type { Blob, BlobStore } from '../../backup/blob-store.ts';
import { keyIdOf } from '../../backup/key.ts';
import { type BackupManifest, openManifest, sealManifest } from '../../backup/manifest.ts';
import { readPart } from '../../backup/part-reader.ts';
import { openPlace } from '../../backup/place.ts';
import { type BackupStatus, timeInBackupId } from '../../domain/backup.ts';
import { ValkeeperError } from '../../domain/errors.ts';

const MANIFEST = 'manifest.json';
/** Larger than that of 500 shards by far. */
const MOST_MANIFEST_BYTES = 16 * 1024 ** 2;

/** The name of a blob of a backup in its place. */
export const blobOf = (database: string, id: string, name: string): string => `${database}/${id}/${name}`;

export class Library {
  /** As it was named. */
  readonly place: string;
  readonly store: BlobStore;
  readonly #keys: readonly Buffer[];

  /** @param keys with which backups may be encrypted; the first is the present one. @throws backup_place_invalid */
  static async open(place: string, keys: readonly Buffer[]): Promise<Library> {
    return new Library(place, await openPlace(place, process.env), keys);
  }

  private constructor(place: string, store: BlobStore, keys: readonly Buffer[]) {
    this.place = place;
    this.store = store;
    this.#keys = keys;
  }

  /** With it the backup counts. */
  async add(manifest: Omit<BackupManifest, 'keyId'>): Promise<void> {
    const sealed = sealManifest(manifest, this.#keys[0] ?? null);
    await this.store.put(blobOf(manifest.database.name, manifest.id, MANIFEST), once(sealed));
  }

  /** All that have a manifest, the newest last, whatever key they are closed with. @param database all when it is not said */
  async list(database?: string): Promise<BackupStatus[]> {
    const found = (await this.store.list(database === undefined ? '' : `${database}/`)).filter(isManifest);
    const all = await Promise.all(found.map(({ name }) => this.#listed(name)));
    return all.sort((a, b) => (a.startedAt < b.startedAt ? -1 : 1));
  }

  /** One that cannot be read is told as such, and hides no other. */
  async #listed(name: string): Promise<BackupStatus> {
    const bytes = await this.#bytesOf(name);
    try {
      return this.statusOf(openManifest(bytes, null).manifest);
    } catch (error) {
      if (!(error instanceof ValkeeperError)) throw error;
      const [database = '', id = ''] = name.split('/');
      return {
        ...{ id, database, databaseUid: '', place: this.place, state: 'failed', trigger: 'asked' },
        ...{
          startedAt: new Date(timeInBackupId(id) ?? 0).toISOString(),
          endedAt: null,
          shards: 0,
          parts: [],
          skewMs: null,
        },
        ...{ encrypted: false, engineVersion: '', problem: error.message },
      };
    }
  }

  /** @throws backup_not_found, backup_damaged, backup_key_wrong, backup_store_unusable */
  async get(id: string): Promise<BackupManifest> {
    const all = await this.store.list(`${databaseOf(id)}/${id}/`);
    const found = all.find(isManifest);
    if (!found) throw new ValkeeperError('backup_not_found', { id: `${id} in ${this.place}` });
    return this.#read(found.name);
  }

  /** The RDB of one shard; it throws at its end where it was not whole. @throws backup_damaged, backup_key_missing */
  async part(
    { database, id, keyId }: BackupManifest,
    part: BackupManifest['shards'][number]['part'],
  ): Promise<AsyncIterable<Uint8Array>> {
    const stored = await this.store.get(blobOf(database.name, id, part.name));
    return readPart(stored, part, keyId === null ? null : this.#keyOf(keyId));
  }

  /** All of it; the manifest first, without which the rest counts for nothing. */
  async remove(database: string, id: string): Promise<void> {
    await this.store.remove(blobOf(database, id, MANIFEST));
    for (const { name } of await this.store.list(`${database}/${id}/`)) await this.store.remove(name);
  }

  async #read(name: string): Promise<BackupManifest> {
    const text = await this.#bytesOf(name);
    const { manifest } = openManifest(text, null);
    const key = manifest.keyId === null ? null : this.#keyOf(manifest.keyId);
    return key === null ? manifest : openManifest(text, key).manifest;
  }

  async #bytesOf(name: string): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of await this.store.get(name)) {
      bytes += chunk.length;
      if (bytes > MOST_MANIFEST_BYTES) {
        throw new ValkeeperError('backup_damaged', { what: `The manifest ${name}`, problem: 'it is too long for one' });
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  }

  /** The one of this id; of another backup the present one, which is then told to be wrong. Null when there is none at all. */
  #keyOf(id: string): Buffer | null {
    return this.#keys.find((key) => keyIdOf(key) === id) ?? this.#keys[0] ?? null;
  }

  /** As it is told of. */
  statusOf(manifest: BackupManifest): BackupStatus {
    return {
      id: manifest.id,
      database: manifest.database.name,
      databaseUid: manifest.database.uid,
      place: this.place,
      state: 'done',
      trigger: manifest.labels.trigger,
      startedAt: manifest.createdAt,
      endedAt: manifest.endedAt,
      shards: manifest.shards.length,
      parts: manifest.shards.map((one) => ({
        shard: one.name,
        slots: one.slots,
        node: one.node,
        machine: one.machine,
        role: one.role,
        keys: one.keys,
        dataBytes: one.dataBytes,
        rawBytes: one.part.rawBytes,
        storedBytes: one.part.storedBytes,
        forkedAt: new Date(one.forkedAt).toISOString(),
        seconds: Math.round((one.endedAt - one.forkedAt) / 100) / 10,
      })),
      skewMs: manifest.skewMs,
      encrypted: manifest.keyId !== null,
      engineVersion: manifest.engineVersion,
      problem: null,
    };
  }
}

const isManifest = ({ name }: Blob): boolean => name.endsWith(`/${MANIFEST}`);

/** As `backupId` makes them: what stands before the time and the chance. */
const databaseOf = (id: string): string => id.split('-').slice(0, -2).join('-');

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
