/** Two ways to write to a database whose primary dies: the usual cluster client, and bare connections to a shard's nodes. */
import { Cluster } from 'ioredis';
import type { DatabaseStatus, ShardStatus } from '../../src/domain/status.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { EngineReplyError, EngineUnreachable } from '../../src/valkey/engine-errors.ts';
import type { Write } from './write-load.ts';

const CONNECT_TIMEOUT_MS = 1_000;
const COMMAND_TIMEOUT_MS = 5_000;
const MAX_QUEUED = 8_000;

export interface Writer {
  write: Write;
  read: (key: string) => Promise<string | null>;
  close: () => void;
}

/** ioredis as it comes: it follows the cluster by itself, and tries again what failed. */
export async function clusterWriter({ clusterEndpoints }: DatabaseStatus, password: string): Promise<Writer> {
  const cluster = new Cluster(clusterEndpoints, { redisOptions: { password }, lazyConnect: true });
  cluster.on('error', () => {}); // each command tells its own failure
  await cluster.connect();
  return {
    write: async (key, value) => {
      await cluster.set(key, value);
    },
    read: (key) => cluster.get(key),
    close: () => cluster.disconnect(),
  };
}

/**
 * One connection to each of the shard's nodes, and no second try: a write goes to the node that is held for the primary,
 * and to the next one as soon as that one cannot be reached. What is refused or unanswered counts as an error.
 */
export function shardWriter({ primary, replicas }: ShardStatus, password: string): Writer {
  const nodes = [primary!, ...replicas].map(
    ({ host, port }) =>
      new NodeConnection({
        host,
        port,
        password,
        connectTimeoutMs: CONNECT_TIMEOUT_MS,
        commandTimeoutMs: COMMAND_TIMEOUT_MS,
        maxQueued: MAX_QUEUED,
      }),
  );
  let held = 0;
  return {
    write: async (key, value) => {
      const used = held;
      try {
        await nodes[used]!.command('SET', key, value);
      } catch (error) {
        if (held === used && error instanceof EngineUnreachable) held = (used + 1) % nodes.length;
        throw nameOf(error);
      }
    },
    // Whoever is primary by then: the others point elsewhere.
    read: (key) => Promise.any(nodes.map((node) => node.command('GET', key) as Promise<string | null>)),
    close: () => {
      for (const node of nodes) node.close();
    },
  };
}

/** The same failure, beginning with its kind. */
function nameOf(error: unknown): unknown {
  if (error instanceof EngineUnreachable) return new Error(error.reason, { cause: error });
  if (error instanceof EngineReplyError) return new Error(error.code, { cause: error });
  return error;
}
