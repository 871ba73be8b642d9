/**
 * Takes the parts of one backup: of every shard the RDB that one of its copies streams, all at about the same moment.
 *
 *     look ─> a source of each shard ─> parts, one at a time on each machine ─> look again: the same slots?
 */
import type { BlobStore } from '../../backup/blob-store.ts';
import type { PartFacts } from '../../backup/part.ts';
import { writePart } from '../../backup/part-writer.ts';
import type { BackupPart } from '../../domain/backup.ts';
import { type Database, shardNames } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { formatSlots } from '../../domain/slots.ts';
import { shardTopology } from '../../plan/topology.ts';
import { RDB_HEADER_BYTES, type RdbHeader, rdbHeader } from '../../valkey/rdb-header.ts';
import { blobOf } from './library.ts';
import { Rate } from './rate.ts';
import { type StreamSurroundings, withShardStream } from './shard-stream.ts';

export type TakeSurroundings = StreamSurroundings;

export interface TakeWish {
  store: BlobStore;
  /** Of the backup. */
  id: string;
  key: Buffer | null;
  /** Of all shards together. */
  bytesPerSecond: number;
  signal: AbortSignal;
  /** A part is there. */
  done: (part: TakenPart) => void;
}

/** A part with all that a manifest says of it. */
export interface TakenPart extends BackupPart {
  /** Its name beside the manifest. */
  part: string;
  facts: PartFacts;
  header: RdbHeader;
  /** Milliseconds since the epoch: when it was asked for, of which moment it is, and when its last byte came. */
  startedAtMs: number;
  forkedAtMs: number;
  endedAtMs: number;
}

/** @throws backup_refused when a shard is not served, or slots moved meanwhile; backup_failed; backup_store_unusable */
export async function takeParts(around: TakeSurroundings, database: Database, wish: TakeWish): Promise<TakenPart[]> {
  const names = shardNames(database);
  const before = await slotsOf(around, database, names);
  const rate = new Rate(wish.bytesPerSecond, around.clock);
  const failed = new AbortController();
  const signal = AbortSignal.any([wish.signal, failed.signal]);
  const parts = await Promise.all(
    names.map((shard) =>
      takePart(around, database, shard, { ...wish, signal, rate }).catch((error: unknown) => {
        failed.abort(error);
        throw error;
      }),
    ),
  );
  const after = await slotsOf(around, database, names);
  const moved = names.find((name) => before.get(name) !== after.get(name));
  if (moved) throw refusal(database, `the slots of ${moved} moved meanwhile`);
  return parts;
}

const refusal = ({ name }: Database, reason: string): ValkeeperError =>
  new ValkeeperError('backup_refused', { name, reason });

/** As their owners have them now, for comparison. */
async function slotsOf(
  { observe }: TakeSurroundings,
  database: Database,
  names: readonly string[],
): Promise<Map<string, string>> {
  const view = await observe(database);
  return new Map(
    names.map((name) => {
      const { owner, slots } = shardTopology(database, view, name);
      if (!owner?.engine || slots.length === 0) throw refusal(database, `${name} is not served`);
      return [name, formatSlots(slots)];
    }),
  );
}

async function takePart(
  around: TakeSurroundings,
  database: Database,
  shard: string,
  { store, id, key, signal, done, rate }: TakeWish & { rate: Rate },
): Promise<TakenPart> {
  const wish = { signal, refusal: (reason: string) => refusal(database, reason) };
  const part = await withShardStream(around, database, shard, wish, async ({ source, stream, startedAtMs }) => {
    const head = new Head();
    const { content, facts } = writePart(rate.of(head.of(stream.bytes)), { compression: 'zstd', key });
    const name = `${source.shard}.rdb`;
    await store.put(blobOf(database.name, id, name), content, signal);
    const endedAtMs = around.clock.now();
    const known = await facts;
    return {
      ...{ part: name, facts: known, header: head.parsed(source.shard) },
      ...{ startedAtMs, forkedAtMs: stream.forkedAt, endedAtMs },
      shard: source.shard,
      slots: source.slots,
      node: source.node.id,
      machine: source.node.machine,
      role: source.role,
      keys: source.engine.keys,
      dataBytes: source.engine.dataBytes,
      rawBytes: known.rawBytes,
      storedBytes: known.storedBytes,
      forkedAt: new Date(stream.forkedAt).toISOString(),
      seconds: Math.round((endedAtMs - stream.forkedAt) / 100) / 10,
    };
  });
  done(part);
  return part;
}

/** Keeps the first bytes of what goes by. */
class Head {
  #bytes = Buffer.alloc(0);

  async *of(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of stream) {
      if (this.#bytes.length < RDB_HEADER_BYTES) this.#bytes = Buffer.concat([this.#bytes, chunk]);
      yield chunk;
    }
  }

  parsed(shard: string): RdbHeader {
    const header = rdbHeader(this.#bytes.subarray(0, RDB_HEADER_BYTES));
    if (!header) throw new ValkeeperError('backup_failed', { reason: `what came of ${shard} is no RDB` });
    return header;
  }
}
