/** A shard's data as one of its nodes streams it: chosen, waited for, and replaced by another where it cannot. */
import type { Database } from '../../domain/database.ts';
import type { NodeId } from '../../domain/ids.ts';
import { type DatabaseView, meanBytes } from '../../domain/view.ts';
import { shardTopology } from '../../plan/topology.ts';
import type { Clock } from '../../platform/clock.ts';
import { EngineReplyError, EngineUnreachable } from '../../valkey/engine-errors.ts';
import type { Engines } from '../../valkey/engines.ts';
import { withGentleChild } from '../../valkey/gentle-child.ts';
import { openRdbStream, type RdbStream } from '../../valkey/rdb-stream.ts';
import { readiness } from '../../valkey/slot-migrations.ts';
import { type Source, sourceOf } from './sources.ts';
import type { Turns } from './turns.ts';

/** Of one shard; each time another of its nodes is asked where there is one. */
const TRIES = 3;
/** A node that saves or writes its log anew is waited for: it forks once at a time. */
const FORK_WAIT_MS = 300_000;
const FORK_LOOK_MS = 200;

export interface StreamSurroundings {
  engines: Engines;
  clock: Clock;
  turns: Turns;
  observe: (database: Database) => Promise<DatabaseView>;
}

export interface StreamWish {
  signal: AbortSignal;
  /** The error where nobody can give it. */
  refusal: (reason: string) => Error;
}

export interface ShardStream {
  source: Source;
  /** Milliseconds since the epoch: when it was asked for. */
  startedAtMs: number;
  stream: RdbStream;
}

/**
 * Runs `use` with the stream, in a turn of the node's machine, which lasts until `use` ends. Where that fails because of the
 * node, it is run again with another.
 * @throws the refusal, EngineUnreachable, EngineReplyError, the signal's reason, and what `use` throws
 */
export async function withShardStream<T>(
  around: StreamSurroundings,
  database: Database,
  shard: string,
  wish: StreamWish,
  use: (given: ShardStream) => Promise<T>,
): Promise<T> {
  const tried = new Set<NodeId>();
  for (let tries = 1; ; tries += 1) {
    const topology = shardTopology(database, await around.observe(database), shard);
    const source = sourceOf(topology, tried) ?? sourceOf(topology, new Set());
    if (!source) throw wish.refusal(`nobody of ${shard} can give its data now`);
    try {
      return await around.turns.take(source.node.machine, async () =>
        use(await openFrom(around, database, source, wish.signal)),
      );
    } catch (error) {
      const isOfNode = error instanceof EngineUnreachable || error instanceof EngineReplyError;
      if (!isOfNode || tries === TRIES || wish.signal.aborted) throw error;
      tried.add(source.node.id);
    }
  }
}

async function openFrom(
  { engines, clock }: StreamSurroundings,
  database: Database,
  source: Source,
  signal: AbortSignal,
): Promise<ShardStream> {
  signal.throwIfAborted();
  const { adminPassword } = database.secrets;
  const connection = engines.connection(adminPassword, source.node);
  const deadline = clock.now() + FORK_WAIT_MS;
  while ((await readiness(connection)).forks !== null && clock.now() < deadline) {
    await clock.sleep(FORK_LOOK_MS);
    signal.throwIfAborted();
  }
  const startedAtMs = clock.now();
  const stream = await withGentleChild(connection, meanBytes(source.engine), () =>
    openRdbStream(engines.options(adminPassword, source.node), () => clock.now(), signal),
  );
  return { source, startedAtMs, stream };
}
