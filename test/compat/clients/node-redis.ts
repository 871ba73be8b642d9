/** node-redis. */
import { BasicClientSideCache, createClient, RESP_TYPES } from 'redis';
import {
  type Address,
  all,
  type ChannelKind,
  type Command,
  type CompatClient,
  flat,
  type Library,
  type Own,
  outcome,
  type Subscription,
  type Word,
} from '../client.ts';

const wordOf = (word: Word): string | Buffer => (typeof word === 'number' ? String(word) : word);
const wordsOf = (command: Command): (string | Buffer)[] => command.map(wordOf);

type Client = Awaited<ReturnType<typeof connected>>;

async function connected({ host, port, resp, user, password, db }: Address, cache?: BasicClientSideCache) {
  const client = createClient({
    socket: { host, port, reconnectStrategy: false },
    RESP: resp,
    ...(user ? { username: user } : {}),
    ...(password ? { password } : {}),
    ...(db === undefined ? {} : { database: db }),
    ...(cache ? { clientSideCache: cache } : {}),
  });
  client.on('error', () => {}); // the command that needed the connection tells
  await client.connect();
  return client;
}

export const nodeRedis: Library = {
  name: 'node-redis',
  speaks: [2, 3],
  open: async (address) => faceOf(address, await connected(address)),
  openCaching: async (address) => {
    const cache = new BasicClientSideCache();
    const client = await connected(address, cache);
    return { get: (key) => client.get(key), hits: () => cache.stats().hitCount, close: () => close(client) };
  },
};

function close(client: Client): void {
  if (client.isOpen) client.destroy();
}

function faceOf({ resp }: Address, client: Client): CompatClient {
  const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } };
  return {
    name: 'node-redis',
    resp,
    own: ownOf(client),
    send: async (...command) => flat(await client.sendCommand(wordsOf(command))),
    sendForBytes: async (...command) => (await client.sendCommand(wordsOf(command), asBytes)) as unknown as Buffer,
    pipeline: (commands) => Promise.all(commands.map((command) => outcome(client.sendCommand(wordsOf(command))))),
    transaction: async (commands) => {
      const transaction = client.multi();
      for (const command of commands) transaction.addCommand(wordsOf(command));
      try {
        return (await transaction.exec()).map((reply) => flat(reply));
      } catch (error) {
        const { name, replies } = error as Error & { replies?: unknown[] };
        if (replies) return replies.map((reply) => flat(reply));
        if (name === 'WatchError' || (error as Error).message.includes('watched keys has been changed')) return null;
        throw error;
      }
    },
    watch: async (...keys) => void (await client.watch(keys)),
    subscribe: (kind, channels) => subscribe(client, kind, channels),
    close: () => close(client),
  };
}

function ownOf(client: Client): Own {
  return {
    set: (key, value) => client.set(key, value),
    get: (key) => client.get(key),
    mset: (entries) => client.mSet(entries),
    mget: (keys) => client.mGet(keys),
    del: (keys) => client.del(keys),
    exists: (keys) => client.exists(keys),
    incr: (key) => client.incr(key),
    expire: (key, seconds) => client.expire(key, seconds),
    ttl: (key) => client.ttl(key),
    type: (key) => client.type(key),
    hset: (key, fields) => client.hSet(key, { ...fields }),
    hgetall: async (key) => ({ ...(await client.hGetAll(key)) }),
    hscan: async (key) => {
      const found: Record<string, string> = {};
      for await (const page of client.hScanIterator(key, { COUNT: 50 })) {
        for (const { field, value } of [page].flat()) found[field] = value;
      }
      return found;
    },
    rpush: (key, values) => client.rPush(key, values),
    lrange: (key) => client.lRange(key, 0, -1),
    sadd: (key, members) => client.sAdd(key, members),
    smembers: async (key) => [...(await client.sMembers(key))],
    zadd: (key, scores) =>
      client.zAdd(
        key,
        Object.entries(scores).map(([value, score]) => ({ value, score })),
      ),
    zrange: async (key) => (await client.zRangeWithScores(key, 0, -1)).map(({ value, score }) => [value, score]),
    xadd: (key, fields) => client.xAdd(key, '*', { ...fields }),
    xrange: async (key) => ((await client.xRange(key, '-', '+')) ?? []).map(({ message }) => ({ ...message })),
    blpop: async (key, seconds) => (await client.blPop(key, seconds))?.element ?? null,
    script: async (source, keys, args) => {
      const sha = await client.scriptLoad(source);
      return client.evalSha(sha, { keys, arguments: args });
    },
    scan: async ({ match, count, type }) => {
      const options = { ...(match ? { MATCH: match } : {}), ...(count ? { COUNT: count } : {}) };
      const pages = client.scanIterator({ ...options, ...(type ? { TYPE: type } : {}) });
      return (await all(pages)).flat();
    },
    info: () => client.info(),
    configGet: async (name) => (await client.configGet(name))[name],
    dbsize: () => client.dbSize(),
    publish: (channel, message) => client.publish(channel, message),
  };
}

async function subscribe(client: Client, kind: ChannelKind, channels: string[]): Promise<Subscription> {
  const messages: string[] = [];
  const take = (message: string, channel: string) => void messages.push(`${channel}: ${message}`);
  if (kind === 'channel') {
    await client.subscribe(channels, take);
    return { messages, unsubscribe: () => client.unsubscribe(channels) };
  }
  if (kind === 'pattern') {
    await client.pSubscribe(channels, take);
    return { messages, unsubscribe: () => client.pUnsubscribe(channels) };
  }
  await client.sSubscribe(channels, take);
  return { messages, unsubscribe: () => client.sUnsubscribe(channels) };
}
