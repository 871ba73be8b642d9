/** What a database can be restored from: a backup in any place, or the RDB file of one server. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, isAbsolute } from 'node:path';
import type { BackupManifest } from '../../backup/manifest.ts';
import type { BackupSecrets } from '../../backup/manifest-schema.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { Restore, Seed } from '../../domain/restore.ts';
import { SLOT_COUNT, type SlotRange } from '../../domain/slots.ts';
import type { DatabaseSpec } from '../../domain/spec.ts';
import { fileError } from '../../platform/files.ts';
import { isReadable, problemOfRdb } from '../../valkey/rdb-checksum.ts';
import { RDB_HEADER_BYTES, rdbHeader } from '../../valkey/rdb-header.ts';
import { Library } from './library.ts';

/** One shard of the source. */
export interface SourceShard {
  slots: readonly SlotRange[];
  seed: Seed;
  /** Bytes of memory that its data took; 0 where nobody knows. */
  dataBytes: number;
}

export interface RestoreSource extends Pick<Restore, 'kind' | 'id' | 'place' | 'archive'> {
  shards: readonly SourceShard[];
  /** Of the database that was backed up; null of a file. */
  spec: DatabaseSpec | null;
  /** Only of an encrypted backup. */
  secrets: BackupSecrets | null;
}

const EVERY_SLOT: readonly SlotRange[] = [[0, SLOT_COUNT - 1]];
const FILE = /\.rdb$/;

/**
 * Reads all of it before anything is begun with it.
 * @param from a backup's id, or the absolute path of an RDB file
 * @param openBackup see `Backups.open`
 * @throws backup_damaged, backup_key_missing, backup_key_wrong, backup_store_unusable, rdb_unreadable, file_unusable
 */
export async function restoreSource(
  from: string,
  openBackup: (id: string) => Promise<{ library: Library; manifest: BackupManifest }>,
): Promise<RestoreSource> {
  if (isAbsolute(from) && FILE.test(from)) return fileSource(from);
  const { library, manifest } = await openBackup(from);
  const { id } = manifest;
  requireReadable(id, manifest.rdbVersion);
  for (const { part } of manifest.shards) {
    for await (const _ of await library.part(manifest, part)); // it throws where it is not whole
  }
  return {
    kind: 'backup',
    id,
    place: library.place,
    shards: manifest.shards
      .filter(({ slots }) => slots.length > 0)
      .map(({ slots, part, dataBytes }) => ({
        slots,
        seed: { part: part.name, bytes: part.rawBytes, sha256: part.rawSha256 },
        dataBytes,
      })),
    spec: manifest.database.spec,
    secrets: manifest.secrets ?? null,
  };
}

async function fileSource(path: string): Promise<RestoreSource> {
  try {
    const header = await headerOf(path);
    if (!header) throw new ValkeeperError('rdb_unreadable', { path, reason: 'it does not begin as an RDB does' });
    requireReadable(path, header.version);
    const hash = createHash('sha256');
    let bytes = 0;
    const problem = await problemOfRdb(
      (async function* () {
        for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
          hash.update(chunk);
          bytes += chunk.length;
          yield chunk;
        }
      })(),
    );
    if (problem) throw new ValkeeperError('rdb_unreadable', { path, reason: problem });
    const seed = { part: path, bytes, sha256: hash.digest('hex') };
    const dataBytes = Number(header.fields.get('used-mem') ?? 0);
    const shards = [{ slots: EVERY_SLOT, seed, dataBytes }];
    return { kind: 'file', id: path, place: dirname(path), shards, spec: null, secrets: null };
  } catch (error) {
    throw error instanceof ValkeeperError ? error : fileError('read', path, error);
  }
}

async function headerOf(path: string) {
  const file = await open(path);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(RDB_HEADER_BYTES), 0, RDB_HEADER_BYTES, 0);
    return rdbHeader(buffer.subarray(0, bytesRead));
  } finally {
    await file.close();
  }
}

function requireReadable(path: string, version: number): void {
  if (isReadable(version)) return;
  const reason = `it is of version ${version}, and the engine reads those up to 11 and its own, 80`;
  throw new ValkeeperError('rdb_unreadable', { path, reason });
}

/** The RDB of a shard, as the record of a restore of a backup or a file names it. */
export async function openSeed(
  { kind, id, place }: Restore,
  { part }: Seed,
  keys: readonly Buffer[],
): Promise<AsyncIterable<Uint8Array>> {
  if (kind === 'file') return createReadStream(part);
  const library = await Library.open(place, keys);
  const manifest = await library.get(id);
  const found = manifest.shards.find(({ part: one }) => one.name === part);
  if (!found)
    throw new ValkeeperError('backup_damaged', { what: `The backup ${id}`, problem: `it has no part ${part}` });
  return library.part(manifest, found.part);
}
