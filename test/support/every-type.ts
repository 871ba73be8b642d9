/** Keys of every type in every encoding, with times to live, binary names, streams with groups, and functions. */
import type { Cluster, Redis } from 'ioredis';

const MANY = 600;
const LONG = 'x'.repeat(300);
const LIBRARY = `#!lua name=lib
redis.register_function('double', function(keys, args) return tonumber(args[1]) * 2 end)`;

/** Through an endpoint or one node: into its databases 0, 5 and 15. */
export async function fillEveryType(client: Redis): Promise<void> {
  await client.call('FUNCTION', 'LOAD', 'REPLACE', LIBRARY);
  for (const number of [0, 5, 15]) {
    await client.select(number);
    await strings(client);
    await collections(client);
    await streams(client);
  }
  await client.select(0);
}

async function strings(client: Redis): Promise<void> {
  await client.set('string:int', 12_345);
  await client.set('string:short', 'short');
  await client.set('string:long', LONG.repeat(100));
  await client.set('string:empty', '');
  await client.set('string:binary', Buffer.from([0, 255, 13, 10, 0]));
  await client.set(Buffer.from([0, 1, 254, 255, 32, 10]), 'of a binary name');
  await client.setbit('string:bits', 1_000, 1);
  await client.pfadd('hyperloglog', 'a', 'b', 'c');
  await client.geoadd('geo', 13.4, 52.5, 'Berlin', 2.35, 48.85, 'Paris');
  await client.set('expires', 'later', 'PXAT', Date.now() + 3_600_000);
}

async function collections(client: Redis): Promise<void> {
  const numbers = Array.from({ length: MANY }, (_, index) => index);
  await client.rpush('list:listpack', 'a', 'b', 3);
  await client.rpush('list:quicklist', ...numbers.map((number) => `${number}:${LONG}`));
  await client.sadd('set:intset', 1, 2, 3, -9_999_999_999);
  await client.sadd('set:listpack', 'a', 'b');
  await client.sadd('set:hashtable', ...numbers.map((number) => `member:${number}`));
  await client.zadd('zset:listpack', 1, 'a', -2.5, 'b', '+inf', 'c');
  await client.zadd('zset:skiplist', ...numbers.flatMap((number) => [number / 7, `member:${number}`]));
  await client.hset('hash:listpack', 'a', 1, 'b', 2);
  await client.hset('hash:hashtable', ...numbers.flatMap((number) => [`field:${number}`, `${number}`]));
  await client.hset('hash:expiring', 'stays', 1, 'goes', 2);
  await client.call('HPEXPIREAT', 'hash:expiring', String(Date.now() + 3_600_000), 'FIELDS', '1', 'goes');
}

async function streams(client: Redis): Promise<void> {
  for (let index = 1; index <= 300; index += 1) await client.xadd('stream', `${index}-1`, 'field', `value ${index}`);
  await client.xgroup('CREATE', 'stream', 'group', '0');
  await client.xreadgroup('GROUP', 'group', 'one', 'COUNT', 10, 'STREAMS', 'stream', '>');
  await client.xreadgroup('GROUP', 'group', 'two', 'COUNT', 5, 'STREAMS', 'stream', '>');
  await client.xack('stream', 'group', '1-1', '2-1', '11-1');
  // Of one that nobody has pending: atomic slot migration leaves out what is pending of a message that is gone.
  await client.xdel('stream', '20-1');
  await client.xadd('stream:empty', '1-1', 'a', 'b');
  await client.xdel('stream:empty', '1-1');
}

/** Into database 0, over all slots. */
export async function fillMany(client: Cluster | Redis, count: number, valueBytes: number): Promise<void> {
  const value = 'v'.repeat(valueBytes);
  const BATCH = 1_000;
  for (let from = 0; from < count; from += BATCH) {
    const keys = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => from + index);
    await Promise.all(keys.map((index) => client.set(`many:${index}`, `${index}:${value}`)));
  }
}
