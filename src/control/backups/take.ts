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
import type { NodeId } from '../../domain/ids.ts';
import { formatSlots } from '../../domain/slots.ts';
import type { DatabaseView } from '../../domain/view.ts';
import { shardTopology } from '../../plan/topology.ts';
import type { Clock } from '../../platform/clock.ts';
import { EngineReplyError, EngineUnreachable } from '../../valkey/engine-errors.ts';
import type { Engines } from '../../valkey/engines.ts';
import { RDB_HEADER_BYTES, type RdbHeader, rdbHeader } from '../../valkey/rdb-header.ts';
import { openRdbStream } from '../../valkey/rdb-stream.ts';
import { readiness } from '../../valkey/slot-migrations.ts';
import { blobOf } from './library.ts';
import { type Source, sourceOf } from './sources.ts';
import type { Turns } from './turns.ts';

/** Of one shard; each time another of its nodes is asked where there is one. */
const TRIES = 3;
/** A node that saves or writes its log anew is waited for: it forks once at a time. */
const FORK_WAIT_MS = 300_000;
const FORK_LOOK_MS = 200;

export interface TakeSurroundings {
  engines: Engines;
  clock: Clock;
  turns: Turns;
  observe: (database: Database) => Promise<DatabaseView>;
}

export interface TakeWish {
  store: BlobStore;
  /** Of the backup. */
  id: string;
  key: Buffer | null;
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
  const failed = new AbortController();
  const signal = AbortSignal.any([wish.signal, failed.signal]);
  const parts = await Promise.all(
    names.map((shard) =>
      takePart(around, database, shard, { ...wish, signal }).catch((error: unknown) => {
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
  wish: TakeWish,
): Promise<TakenPart> {
  const tried = new Set<NodeId>();
  for (let tries = 1; ; tries += 1) {
    const view = await around.observe(database);
    const topology = shardTopology(database, view, shard);
    const source = sourceOf(topology, tried) ?? sourceOf(topology, new Set());
    if (!source) throw refusal(database, `nobody of ${shard} can give its data now`);
    try {
      const part = await around.turns.take(source.node.machine, () => fromSource(around, database, source, wish));
      wish.done(part);
      return part;
    } catch (error) {
      const isOfNode = error instanceof EngineUnreachable || error instanceof EngineReplyError;
      if (!isOfNode || tries === TRIES || wish.signal.aborted) throw error;
      tried.add(source.node.id);
    }
  }
}

async function fromSource(
  around: TakeSurroundings,
  database: Database,
  source: Source,
  { store, id, key, signal }: TakeWish,
): Promise<TakenPart> {
  signal.throwIfAborted();
  const { engines, clock } = around;
  const { adminPassword } = database.secrets;
  const connection = engines.connection(adminPassword, source.node);
  const deadline = clock.now() + FORK_WAIT_MS;
  while ((await readiness(connection)).forks !== null && clock.now() < deadline) {
    await clock.sleep(FORK_LOOK_MS);
    signal.throwIfAborted();
  }
  const startedAtMs = clock.now();
  const stream = await openRdbStream(engines.options(adminPassword, source.node), () => clock.now(), signal);
  const head = new Head();
  const { content, facts } = writePart(head.of(stream.bytes), { compression: 'zstd', key });
  const part = `${source.shard}.rdb`;
  await store.put(blobOf(database.name, id, part), content, signal);
  const endedAtMs = clock.now();
  const known = await facts;
  return {
    ...{ part, facts: known, header: head.parsed(source.shard), startedAtMs, forkedAtMs: stream.forkedAt, endedAtMs },
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
