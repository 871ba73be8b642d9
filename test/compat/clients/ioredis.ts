/** ioredis, and iovalkey, which has the same methods. */
import { Redis as IoRedis } from 'ioredis';
import { Redis as IoValkey } from 'iovalkey';
import type {
  Address,
  CachingClient,
  ChannelKind,
  ClientName,
  Command,
  CompatClient,
  Library,
  Own,
  Protocol,
  Subscription,
} from '../client.ts';
import { all, flat, type Value } from '../client.ts';

const SCRIPT = 'compatScript';

export const ioredis = library('ioredis', [2, 3], ({ user, resp, password, ...rest }) => {
  const who = { ...(user ? { username: user } : {}), ...(password ? { password } : {}) };
  return new IoRedis({ ...rest, ...who, protocol: resp, lazyConnect: true, retryStrategy: () => null });
});

export const iovalkey = library('iovalkey', [2], ({ user, resp: _, password, ...rest }) => {
  const who = { ...(user ? { username: user } : {}), ...(password ? { password } : {}) };
  const client = new IoValkey({ ...rest, ...who, lazyConnect: true, retryStrategy: () => null });
  return client as unknown as IoRedis;
});

function library(name: ClientName, speaks: readonly Protocol[], create: (address: Address) => IoRedis): Library {
  const connected = async (address: Address): Promise<IoRedis> => {
    const client = create(address);
    let last: Error | null = null;
    client.on('error', (error: Error) => {
      last = error;
    });
    await client.connect().catch((error: Error) => {
      throw last ?? error; // what the server said, rather than that the connection is closed
    });
    return client;
  };
  return {
    name,
    speaks,
    open: async (address) => faceOf(name, address.resp, await connected(address)),
    openCaching: async (address) => caching(await connected(address)),
  };
}

const call = (client: IoRedis, [name, ...args]: Command): Promise<unknown> => client.call(String(name), args);

function faceOf(name: ClientName, resp: Protocol, client: IoRedis): CompatClient {
  return {
    name,
    resp,
    own: ownOf(client),
    send: async (...command) => flat(await call(client, command)),
    sendForBytes: async (first, ...args) => (await client.callBuffer(String(first), ...args)) as Buffer | null,
    pipeline: async (commands) => {
      const pipeline = client.pipeline();
      for (const [first, ...args] of commands) pipeline.call(String(first), args);
      return (await pipeline.exec())!.map(replyOf);
    },
    transaction: async (commands) => {
      const transaction = client.multi();
      for (const [first, ...args] of commands) transaction.call(String(first), args);
      return (await transaction.exec())?.map(replyOf) ?? null;
    },
    watch: async (...keys) => void (await client.watch(...keys)),
    subscribe: (kind, channels) => subscribe(client, kind, channels),
    close: () => client.disconnect(),
  };
}

const replyOf = ([error, reply]: [Error | null, unknown]): Value => flat(error ?? reply);

function ownOf(client: IoRedis): Own {
  const every = async (stream: AsyncIterable<string[]>): Promise<string[]> => (await all(stream)).flat();
  return {
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
    mset: (entries) => client.mset(entries),
    mget: (keys) => client.mget(keys),
    del: (keys) => client.del(keys),
    exists: (keys) => client.exists(keys),
    incr: (key) => client.incr(key),
    expire: (key, seconds) => client.expire(key, seconds),
    ttl: (key) => client.ttl(key),
    type: (key) => client.type(key),
    hset: (key, fields) => client.hset(key, fields),
    hgetall: (key) => client.hgetall(key),
    hscan: async (key) => Object.fromEntries(pairsOf(await every(client.hscanStream(key, { count: 50 })))),
    rpush: (key, values) => client.rpush(key, ...values),
    lrange: (key) => client.lrange(key, 0, -1),
    sadd: (key, members) => client.sadd(key, members),
    smembers: (key) => client.smembers(key),
    zadd: (key, scores) =>
      client.zadd(key, ...Object.entries(scores).flatMap(([member, score]) => [String(score), member])),
    zrange: async (key) => {
      const flatPairs = flat(await client.zrange(key, '0', '-1', 'WITHSCORES')) as string[];
      return pairsOf(flatPairs).map(([member, score]) => [member, Number(score)]);
    },
    xadd: async (key, fields) => (await client.xadd(key, '*', ...Object.entries(fields).flat()))!,
    xrange: async (key) => {
      const entries = await client.xrange(key, '-', '+');
      return entries.map(([, fields]) => Object.fromEntries(pairsOf(fields)));
    },
    blpop: async (key, seconds) => (await client.blpop(key, seconds))?.[1] ?? null,
    script: (source, keys, args) => {
      client.defineCommand(SCRIPT, { lua: source });
      const defined = client as unknown as Record<string, (...all: unknown[]) => Promise<unknown>>;
      return defined[SCRIPT]!(keys.length, ...keys, ...args);
    },
    scan: (options) => every(client.scanStream(options)),
    info: () => client.info(),
    configGet: async (name) => (flat(await client.config('GET', name)) as string[])[1],
    dbsize: () => client.dbsize(),
    publish: (channel, message) => client.publish(channel, message),
  };
}

const pairsOf = (list: readonly string[]): [string, string][] =>
  Array.from({ length: list.length / 2 }, (_, index) => [list[2 * index]!, list[2 * index + 1]!]);

async function subscribe(client: IoRedis, kind: ChannelKind, channels: string[]): Promise<Subscription> {
  const messages: string[] = [];
  const take = (channel: string, message: string) => void messages.push(`${channel}: ${message}`);
  if (kind === 'channel') {
    client.on('message', take);
    await client.subscribe(...channels);
    return { messages, unsubscribe: async () => void (await client.unsubscribe(...channels)) };
  }
  if (kind === 'pattern') {
    client.on('pmessage', (_, channel, message) => take(channel, message));
    await client.psubscribe(...channels);
    return { messages, unsubscribe: async () => void (await client.punsubscribe(...channels)) };
  }
  client.on('smessage', take);
  await client.ssubscribe(...channels);
  return { messages, unsubscribe: async () => void (await client.sunsubscribe(...channels)) };
}

/** ioredis has no cache: this is one beside it, told by the bytes that ioredis ignores. */
async function caching(client: IoRedis): Promise<CachingClient> {
  const kept = new Map<string, string | null>();
  let hits = 0;
  client.stream.on('data', (bytes: Buffer) => {
    if (bytes.includes('invalidate')) for (const key of kept.keys()) if (bytes.includes(key)) kept.delete(key);
  });
  await client.client('TRACKING', 'ON');
  return {
    get: async (key) => {
      if (kept.has(key)) hits += 1;
      else kept.set(key, await client.get(key));
      return kept.get(key)!;
    },
    hits: () => hits,
    close: () => client.disconnect(),
  };
}
