/** Four Redis clients, each in cluster mode, behind one small face: a batch of commands in, the replies out. */
import { ClusterBatch, GlideClusterClient } from '@valkey/valkey-glide';
import { Cluster as IoRedis } from 'ioredis';
import { Cluster as IoValkey } from 'iovalkey';
import { createCluster } from 'redis';
import type { Command } from './cities.ts';

/** Some nodes of the database; the client finds the others. */
export interface Where {
  nodes: { host: string; port: number }[];
  /** Null: the database is open to all. */
  password: string | null;
}

export interface CityClient {
  /** Sends all at once and waits for every reply, in order. Each goes to the shard of its key, the second word. @throws what a node refuses */
  run(commands: readonly Command[]): Promise<unknown[]>;
  close(): void;
}

/** Under load a batch takes longer than GLIDE's default of a quarter of a second. */
const GLIDE_TIMEOUT_MS = 10_000;

export const CLIENTS = { ioredis, 'node-redis': nodeRedis, iovalkey, glide };
export type ClientName = keyof typeof CLIENTS;

async function ioredis({ nodes, password }: Where): Promise<CityClient> {
  const client = new IoRedis(nodes, password === null ? {} : { redisOptions: { password } });
  return {
    run: (commands) => Promise.all(commands.map(([name, ...args]) => client.call(name, ...args))),
    close: () => client.disconnect(),
  };
}

async function iovalkey({ nodes, password }: Where): Promise<CityClient> {
  const client = new IoValkey(nodes, password === null ? {} : { redisOptions: { password } });
  return {
    run: (commands) => Promise.all(commands.map(([name, ...args]) => client.call(name, ...args))),
    close: () => client.disconnect(),
  };
}

async function nodeRedis({ nodes, password }: Where): Promise<CityClient> {
  const client = createCluster({
    rootNodes: nodes.map((socket) => ({ socket })),
    defaults: password === null ? {} : { password },
  });
  client.on('error', () => {}); // a lost node: the commands that needed it tell
  await client.connect();
  return {
    run: (commands) => Promise.all(commands.map((command) => client.sendCommand(command[1], false, [...command]))),
    close: () => client.destroy(),
  };
}

async function glide({ nodes, password }: Where): Promise<CityClient> {
  const client = await GlideClusterClient.createClient({
    addresses: nodes,
    requestTimeout: GLIDE_TIMEOUT_MS,
    ...(password === null ? {} : { credentials: { password } }),
  });
  return {
    run: async (commands) => {
      const batch = new ClusterBatch(false);
      for (const command of commands) batch.customCommand([...command]);
      return (await client.exec(batch, true)) ?? [];
    },
    close: () => client.close(),
  };
}

/** The fields of a hash, in whichever of its forms a client returns HGETALL. */
export function hashOf(reply: unknown): Record<string, string> {
  if (!Array.isArray(reply)) return Object.fromEntries(Object.entries(reply as Record<string, string>));
  if (typeof reply[0] === 'object') return Object.fromEntries(reply.map(({ key, value }) => [key, value]));
  return Object.fromEntries(Array.from({ length: reply.length / 2 }, (_, i) => [reply[2 * i], reply[2 * i + 1]]));
}

const BATCH = 1_000;

/** Runs any number of commands, a bounded number at a time, and yields each batch with its replies. */
export async function* inBatches(
  client: CityClient,
  commands: Iterable<Command>,
): AsyncGenerator<[Command, unknown][]> {
  let batch: Command[] = [];
  const flush = async (): Promise<[Command, unknown][]> => {
    const sent = batch;
    batch = [];
    const replies = await client.run(sent);
    return sent.map((command, index) => [command, replies[index]]);
  };
  for (const command of commands) {
    if (batch.push(command) === BATCH) yield await flush();
  }
  if (batch.length > 0) yield await flush();
}
