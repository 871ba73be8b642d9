/** Valkey GLIDE. */
import {
  Batch,
  ClientSideCache,
  Decoder,
  GlideClient,
  type GlideReturnType,
  type GlideString,
  InfBoundary,
  ProtocolVersion,
  Script,
} from '@valkey/valkey-glide';
import {
  type Address,
  type ChannelKind,
  type Command,
  type CompatClient,
  flat,
  type Library,
  type Own,
  type Subscription,
  type Word,
} from '../client.ts';

/** Under load a command takes longer than GLIDE's default of a quarter of a second. */
const TIMEOUT_MS = 10_000;
const SUBSCRIBE_MS = 5_000;

const wordOf = (word: Word): GlideString => (typeof word === 'number' ? String(word) : word);
const wordsOf = (command: Command): GlideString[] => command.map(wordOf);

function configurationOf({ host, port, resp, user, password, db }: Address) {
  return {
    addresses: [{ host, port }],
    protocol: resp === 3 ? ProtocolVersion.RESP3 : ProtocolVersion.RESP2,
    requestTimeout: TIMEOUT_MS,
    ...(password ? { credentials: { password, ...(user ? { username: user } : {}) } } : {}),
    ...(db === undefined ? {} : { databaseId: db }),
  };
}

export const glide: Library = {
  name: 'GLIDE',
  speaks: [2, 3],
  open: async (address) => {
    const messages: string[] = [];
    const client = await GlideClient.createClient({
      ...configurationOf(address),
      ...(address.resp === 3
        ? {
            pubsubSubscriptions: {
              channelsAndPatterns: {},
              callback: ({ channel, message }) => void messages.push(`${channel}: ${message}`),
            },
          }
        : {}),
    });
    return faceOf(address, client, messages);
  },
  openCaching: async (address) => {
    const clientSideCache = new ClientSideCache({
      ...{ maxCacheKb: 1024, entryTtlMs: 0, enableMetrics: true, serverAssisted: true },
    });
    const client = await GlideClient.createClient({ ...configurationOf(address), clientSideCache });
    let reads = 0;
    let served = 0;
    return {
      get: async (key) => {
        reads += 1;
        const value = (await client.get(key)) as string | null;
        served = await client.getCacheHitRate();
        return value;
      },
      hits: () => Math.round(served * reads),
      close: () => client.close(),
    };
  },
};

function batchOf(commands: readonly Command[], isAtomic: boolean): Batch {
  const batch = new Batch(isAtomic);
  for (const command of commands) batch.customCommand(wordsOf(command));
  return batch;
}

const valuesOf = (replies: GlideReturnType[] | null) => replies?.map((reply) => flat(reply)) ?? null;

function faceOf({ resp }: Address, client: GlideClient, messages: string[]): CompatClient {
  return {
    name: 'GLIDE',
    resp,
    own: ownOf(client),
    send: async (...command) => flat(await client.customCommand(wordsOf(command))),
    sendForBytes: async (...command) =>
      (await client.customCommand(wordsOf(command), { decoder: Decoder.Bytes })) as Buffer | null,
    pipeline: async (commands) => valuesOf(await client.exec(batchOf(commands, false), false))!,
    transaction: async (commands) => valuesOf(await client.exec(batchOf(commands, true), false)),
    watch: async (...keys) => void (await client.watch(keys)),
    subscribe: (kind, channels) => subscribe(client, kind, channels, messages),
    close: () => client.close(),
  };
}

const textsOf = (list: readonly GlideString[]): string[] => list.map(String);

function ownOf(client: GlideClient): Own {
  return {
    set: (key, value) => client.set(key, value),
    get: async (key) => (await client.get(key)) as string | null,
    mset: (entries) => client.mset({ ...entries }),
    mget: async (keys) => (await client.mget(keys)) as (string | null)[],
    del: (keys) => client.del(keys),
    exists: (keys) => client.exists(keys),
    incr: (key) => client.incr(key),
    expire: (key, seconds) => client.expire(key, seconds),
    ttl: (key) => client.ttl(key),
    type: (key) => client.type(key),
    hset: (key, fields) => client.hset(key, { ...fields }),
    hgetall: async (key) => {
      const fields = await client.hgetall(key);
      return Object.fromEntries(fields.map(({ field, value }) => [String(field), String(value)]));
    },
    hscan: async (key) => {
      const found: Record<string, string> = {};
      let cursor = '0';
      do {
        const [next, list] = await client.hscan(key, cursor, { count: 50 });
        for (let index = 0; index < list.length; index += 2) found[String(list[index])] = String(list[index + 1]);
        cursor = next;
      } while (cursor !== '0');
      return found;
    },
    rpush: (key, values) => client.rpush(key, values),
    lrange: async (key) => textsOf(await client.lrange(key, 0, -1)),
    sadd: (key, members) => client.sadd(key, members),
    smembers: async (key) => textsOf([...(await client.smembers(key))]),
    zadd: (key, scores) => client.zadd(key, { ...scores }),
    zrange: async (key) => {
      const members = await client.zrangeWithScores(key, { start: 0, end: -1 });
      return members.map(({ element, score }) => [String(element), score]);
    },
    xadd: async (key, fields) => String(await client.xadd(key, Object.entries(fields))),
    xrange: async (key) => {
      const entries = await client.xrange(key, InfBoundary.NegativeInfinity, InfBoundary.PositiveInfinity);
      return Object.values(entries ?? {}).map((fields) => Object.fromEntries(fields));
    },
    blpop: async (key, seconds) => (await client.blpop([key], seconds))?.[1]?.toString() ?? null,
    script: async (source, keys, args) => {
      const script = new Script(source);
      try {
        return await client.invokeScript(script, { keys, args });
      } finally {
        script.release();
      }
    },
    scan: async ({ match, count, type }) => {
      const options = { ...(match ? { match } : {}), ...(count ? { count } : {}), ...(type ? { type } : {}) };
      const found: string[] = [];
      let cursor: GlideString = '0';
      do {
        const [next, keys]: [GlideString, GlideString[]] = await client.scan(cursor, options as object);
        found.push(...textsOf(keys));
        cursor = next;
      } while (String(cursor) !== '0');
      return found;
    },
    info: () => client.info(),
    configGet: async (name) => (await client.configGet([name]))[name]?.toString(),
    dbsize: () => client.dbsize(),
    publish: (channel, message) => client.publish(message, channel),
  };
}

async function subscribe(
  client: GlideClient,
  kind: ChannelKind,
  channels: string[],
  messages: string[],
): Promise<Subscription> {
  if (kind === 'channel') {
    await client.subscribe(channels, SUBSCRIBE_MS);
    return { messages, unsubscribe: () => client.unsubscribe(channels, SUBSCRIBE_MS) };
  }
  if (kind === 'pattern') {
    await client.psubscribe(channels, SUBSCRIBE_MS);
    return { messages, unsubscribe: () => client.punsubscribe(channels, SUBSCRIBE_MS) };
  }
  await client.customCommand(['SSUBSCRIBE', ...channels]);
  return { messages, unsubscribe: async () => void (await client.customCommand(['SUNSUBSCRIBE', ...channels])) };
}
