/** The shards of a database as RDB files of a folder: all of them, each whole, or none. */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { SlotRange } from '../domain/slots.ts';
import { fileError, syncFolder } from '../platform/files.ts';
import { makeFolders } from '../platform/folders.ts';
import { RDB_HEADERS } from '../protocol/rdb-headers.ts';
import { problemOfRdb } from '../valkey/rdb-checksum.ts';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;

export interface ExportWish {
  database: string;
  shards: readonly { id: string; slots: readonly SlotRange[] }[];
  /** An absolute path; it is made. */
  folder: string;
  /** Files that are there are replaced. */
  force: boolean;
  /** Opens the stream of a shard; ended by the signal. */
  open: (shard: string, signal: AbortSignal) => Promise<IncomingMessage>;
  /** Looks again, when all have come. @throws where they do not belong together */
  check: () => Promise<void>;
  /** What has come: whole shards, and bytes of all. */
  came: (shards: number, bytes: number) => void;
  signal: AbortSignal;
}

export interface ExportedFile {
  shard: string;
  path: string;
  bytes: number;
  slots: readonly SlotRange[];
  node: string;
  machine: string;
  role: string;
  /** The moment it is of, ISO 8601. */
  forkedAt: string;
}

/**
 * Writes one file a shard, all at once, each under a temporary name until all are whole.
 * @throws export_exists, export_failed, file_unusable, and what `open` and `check` throw
 */
export async function exportFiles(wish: ExportWish): Promise<ExportedFile[]> {
  const { database, shards, folder, check } = wish;
  const targets = shards.map(({ id }) => join(folder, `${database}-${id}.rdb`));
  requireFree(wish, targets);
  await trying(folder, async () => makeFolders(folder, FOLDER_MODE));
  const temporary = targets.map((path) => `${path}~${randomUUID()}`);
  try {
    const files = await fetchAll(wish, targets, temporary);
    await check();
    requireFree(wish, targets);
    for (const [index, path] of targets.entries()) await trying(path, () => rename(temporary[index]!, path));
    await trying(folder, () => syncFolder(folder)); // the names are durable only with their folder
    return files;
  } finally {
    for (const path of temporary) await rm(path, { force: true }).catch(() => {}); // an error before is the one to tell
  }
}

/** @throws export_exists */
function requireFree({ force }: ExportWish, targets: readonly string[]): void {
  const present = force ? undefined : targets.find((path) => existsSync(path));
  if (present !== undefined) throw new ValkeeperError('export_exists', { path: present });
}

/** All at once, so that they are of about the same moment. The first that fails ends the others. */
async function fetchAll(
  wish: ExportWish,
  targets: readonly string[],
  temporary: readonly string[],
): Promise<ExportedFile[]> {
  const failed = new AbortController();
  const signal = AbortSignal.any([wish.signal, failed.signal]);
  let [whole, bytes] = [0, 0];
  const came = (more: number): void => {
    bytes += more;
    wish.came(whole, bytes);
  };
  const files = await Promise.allSettled(
    wish.shards.map(async (_, index) => {
      try {
        const file = await fetchOne({ ...wish, signal }, index, targets[index]!, temporary[index]!, came);
        whole += 1;
        came(0);
        return file;
      } catch (error) {
        failed.abort(error); // with the reason of the first; later calls do nothing
        throw error;
      }
    }),
  );
  if (signal.aborted) throw signal.reason;
  return files.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}

async function fetchOne(
  { database, shards, open: openShard, signal }: ExportWish,
  index: number,
  path: string,
  temporary: string,
  came: (bytes: number) => void,
): Promise<ExportedFile> {
  const { id, slots } = shards[index]!;
  const response = await openShard(id, signal);
  const file = await trying(path, () => open(temporary, 'wx', FILE_MODE));
  let bytes = 0;
  try {
    const problem = await problemOfRdb(
      written(file, path, arriving(response, { database, shard: id }), (more) => {
        bytes += more;
        came(more);
      }),
    );
    if (problem !== null) throw new ValkeeperError('export_failed', { name: database, shard: id, reason: problem });
    await trying(path, () => file.sync());
  } finally {
    response.destroy();
    await file.close();
  }
  const header = (which: keyof typeof RDB_HEADERS): string => String(response.headers[RDB_HEADERS[which].name] ?? '');
  return {
    ...{ shard: id, path, bytes, slots },
    ...{ node: header('node'), machine: header('machine'), role: header('role'), forkedAt: header('forkedAt') },
  };
}

/** @throws export_failed where it is cut off */
async function* arriving(
  response: IncomingMessage,
  { database, shard }: { database: string; shard: string },
): AsyncGenerator<Buffer> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (error) {
    const reason = 'its stream was cut off before its end';
    throw new ValkeeperError('export_failed', { name: database, shard, reason }, { cause: error });
  }
}

/** What goes by, once it is in the file. */
async function* written(
  file: FileHandle,
  path: string,
  chunks: AsyncIterable<Buffer>,
  came: (bytes: number) => void,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    await trying(path, () => file.writeFile(chunk));
    came(chunk.length);
    yield chunk;
  }
}

/** @throws file_unusable */
async function trying<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw fileError('write', path, error);
  }
}
