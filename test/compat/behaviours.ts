/**
 * What any Redis client may expect of the endpoint: one table. `docs/endpoint-behaviour.md` is made from it, and every
 * row is run through four client libraries, in each protocol that they speak.
 */
import { type Command, outcome, type Value } from './client.ts';
import { type Behaviour, type Group, holds, inAnyOrder, inOrder, type Stage } from './stage.ts';

const MEGABYTE = 1024 ** 2;
/** Enough to be on every shard. */
const MANY = 60;
const SCANNED = 5_000;
const DATABASES = 16;

const names = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}:${i}`);
/** Every byte there is, line ends and zeros too. */
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const GLIDE_2 = 'GLIDE takes messages in RESP3 only.';
const atLeast = (least: number) => holds(`at least ${least}`, (value: string | number) => Number(value) >= least);
const failing = (what: RegExp): RegExp => new RegExp(`^error: .*${what.source}`, 'i');

async function manyKeys({ client }: Stage, prefix: string, count = MANY): Promise<string[]> {
  const keys = names(prefix, count);
  await client.pipeline(keys.map((key) => ['SET', key, `value of ${key}`]));
  return keys;
}

/** Whether the two stand for the same keys, each once. */
const sameSet = (found: readonly string[], wanted: readonly string[]): boolean =>
  found.length === wanted.length && new Set(found).size === wanted.length && wanted.every((key) => found.includes(key));

/** Pages of SCAN until its cursor is 0; keys that came twice are there twice. */
async function scanAll({ client }: Stage, ...options: Command): Promise<string[]> {
  const found: string[] = [];
  let cursor = '0';
  do {
    const [next, ...keys] = (await client.send('SCAN', cursor, ...options)) as string[];
    found.push(...keys);
    cursor = next!;
  } while (cursor !== '0');
  return [...new Set(found)];
}

const refused = (id: string, says: string, command: Command, reason: RegExp): Behaviour => ({
  id,
  says,
  does: inOrder(command),
  gives: [failing(reason)],
});

const PLAIN: readonly Behaviour[] = [
  {
    id: 'strings',
    says: 'Strings are set, read, appended to, cut and counted.',
    does: inOrder(
      ['SET', 'text', 'Hello'],
      ['APPEND', 'text', ' World'],
      ['GET', 'text'],
      ['STRLEN', 'text'],
      ['GETRANGE', 'text', 0, 4],
      ['SETRANGE', 'text', 6, 'there'],
      ['GETDEL', 'text'],
      ['GET', 'text'],
    ),
    gives: ['OK', '11', 'Hello World', '11', 'Hello', '11', 'Hello there', null],
  },
  {
    id: 'set-options',
    says: 'SET takes its conditions and gives the old value where it is asked to.',
    does: inOrder(
      ['SET', 'lock', 'mine', 'NX', 'PX', 60_000],
      ['SET', 'lock', 'yours', 'NX'],
      ['SET', 'lock', 'new', 'XX', 'GET'],
      ['SETNX', 'lock', 'x'],
    ),
    gives: ['OK', null, 'mine', '0'],
  },
  {
    id: 'counters',
    says: 'Counters go up and down by whole numbers and fractions, and refuse what is none.',
    does: inOrder(
      ['INCR', 'n'],
      ['INCRBY', 'n', 41],
      ['DECR', 'n'],
      ['INCRBYFLOAT', 'n', '0.5'],
      ['SET', 'text', 'x'],
      ['INCR', 'text'],
    ),
    gives: ['1', '42', '41', '41.5', 'OK', failing(/not an integer/)],
  },
  {
    id: 'own-strings',
    says: "The library's own methods for strings and keys do what its documentation says.",
    does: async ({ client: { own } }) => [
      await own.set('a', '1').then(String),
      await own.get('a'),
      await own.get('missing'),
      await own.incr('a'),
      await own.exists(['a', 'b']),
      await own.type('a'),
      Boolean(await own.expire('a', 100)),
      (await own.ttl('a')) > 90,
      await own.del(['a', 'b']),
    ],
    gives: ['OK', '1', null, 2, 1, 'string', true, true, 1],
  },
  {
    id: 'own-collections',
    says: "The library's own methods for lists, hashes, sets, sorted sets and streams give its own shapes.",
    does: async ({ client: { own } }) => {
      await own.rpush('list', ['x', 'y', 'z']);
      await own.hset('hash', { name: 'Ada', born: '1815' });
      await own.sadd('set', ['red', 'green']);
      await own.zadd('board', { bob: 2.5, alice: 1 });
      await own.xadd('stream', { temperature: '21' });
      return [
        await own.lrange('list'),
        await own.hgetall('hash'),
        (await own.smembers('set')).sort(),
        await own.zrange('board'),
        await own.xrange('stream'),
      ];
    },
    gives: [
      ['x', 'y', 'z'],
      { name: 'Ada', born: '1815' },
      ['green', 'red'],
      [
        ['alice', 1],
        ['bob', 2.5],
      ],
      [{ temperature: '21' }],
    ],
  },
  {
    id: 'expiry',
    says: 'Keys expire, tell how long they have, and keep on living when asked to.',
    does: async (stage) => {
      const { client } = stage;
      await client.send('SET', 'short', 'x', 'PX', 30);
      await client.send('SET', 'long', 'x', 'EX', 100);
      await stage.until('the key is gone', async () => (await client.send('EXISTS', 'short')) === '0');
      return [
        await client.send('TTL', 'short'),
        await client.send('TTL', 'long'),
        await client.send('PERSIST', 'long'),
        await client.send('TTL', 'long'),
        await client.send('EXPIRE', 'long', 500, 'NX'),
        await client.send('EXPIRETIME', 'long'),
      ];
    },
    gives: ['-2', /^(100|99|98)$/, '1', '-1', '1', /^\d{10,}$/],
  },
  {
    id: 'lists',
    says: 'Lists grow and shrink at both ends, and move elements to another list of the same slot.',
    does: inOrder(
      ['RPUSH', '{l}1', 'a', 'b', 'c'],
      ['LPUSH', '{l}1', 'z'],
      ['LRANGE', '{l}1', 0, -1],
      ['LPOP', '{l}1', 2],
      ['LMOVE', '{l}1', '{l}2', 'RIGHT', 'LEFT'],
      ['LINSERT', '{l}1', 'BEFORE', 'b', 'new'],
      ['LPOS', '{l}1', 'b'],
      ['LMPOP', 2, '{l}0', '{l}1', 'LEFT'],
      ['LLEN', '{l}1'],
    ),
    gives: ['3', '4', ['z', 'a', 'b', 'c'], ['z', 'a'], 'c', '2', '1', ['{l}1', 'new'], '1'],
  },
  {
    id: 'hashes',
    says: 'Hashes hold fields, count in them, and let single fields expire.',
    does: inOrder(
      ['HSET', 'h', 'f', 'v', 'n', 1],
      ['HGET', 'h', 'f'],
      ['HMGET', 'h', 'f', 'none', 'n'],
      ['HINCRBY', 'h', 'n', 9],
      ['HGETALL', 'h'],
      ['HDEL', 'h', 'f', 'none'],
      ['HEXPIRE', 'h', 100, 'FIELDS', 1, 'n'],
      ['HTTL', 'h', 'FIELDS', 1, 'n'],
      ['HKEYS', 'h'],
    ),
    gives: ['2', 'v', ['v', null, '1'], '10', inAnyOrder('f', 'v', 'n', '10'), '1', ['1'], [/^(100|99)$/], ['n']],
  },
  {
    id: 'sets',
    says: 'Sets hold each member once; those of one slot are united and cut.',
    does: inOrder(
      ['SADD', '{s}1', 'a', 'b', 'a'],
      ['SADD', '{s}2', 'b', 'c'],
      ['SISMEMBER', '{s}1', 'a'],
      ['SMISMEMBER', '{s}1', 'a', 'c'],
      ['SINTER', '{s}1', '{s}2'],
      ['SUNIONSTORE', '{s}3', '{s}1', '{s}2'],
      ['SMEMBERS', '{s}3'],
      ['SDIFF', '{s}1', '{s}2'],
      ['SCARD', '{s}1'],
    ),
    gives: ['2', '2', '1', ['1', '0'], ['b'], '3', inAnyOrder('a', 'b', 'c'), ['a'], '2'],
  },
  {
    id: 'sorted-sets',
    says: 'Sorted sets keep their order, give scores, ranks and ranges.',
    does: inOrder(
      ['ZADD', 'z', '1', 'one', '2.5', 'two', '3', 'three'],
      ['ZRANGE', 'z', 0, -1, 'WITHSCORES'],
      ['ZSCORE', 'z', 'two'],
      ['ZRANK', 'z', 'three'],
      ['ZINCRBY', 'z', 10, 'one'],
      ['ZRANGE', 'z', '(2', '+inf', 'BYSCORE', 'LIMIT', 0, 2],
      ['ZPOPMAX', 'z'],
      ['ZCARD', 'z'],
    ),
    gives: ['3', ['one', '1', 'two', '2.5', 'three', '3'], '2.5', '2', '11', ['two', 'three'], ['one', '11'], '2'],
  },
  {
    id: 'bitmaps',
    says: 'Bits are set, counted, found and combined.',
    does: inOrder(
      ['SETBIT', '{b}1', 7, 1],
      ['SETBIT', '{b}2', 6, 1],
      ['GETBIT', '{b}1', 7],
      ['BITCOUNT', '{b}1'],
      ['BITOP', 'OR', '{b}3', '{b}1', '{b}2'],
      ['BITCOUNT', '{b}3'],
      ['BITPOS', '{b}3', 1],
      ['BITFIELD', '{b}4', 'SET', 'u8', 0, 200, 'GET', 'u8', 0],
    ),
    gives: ['0', '0', '1', '1', '1', '2', '6', ['0', '200']],
  },
  {
    id: 'hyperloglog',
    says: 'HyperLogLogs count what is different, and are merged in one slot.',
    does: inOrder(
      ['PFADD', '{p}1', 'a', 'b', 'c'],
      ['PFADD', '{p}2', 'c', 'd'],
      ['PFCOUNT', '{p}1'],
      ['PFCOUNT', '{p}1', '{p}2'],
      ['PFMERGE', '{p}3', '{p}1', '{p}2'],
      ['PFCOUNT', '{p}3'],
    ),
    gives: ['1', '1', '3', '4', 'OK', '4'],
  },
  {
    id: 'geo',
    says: 'Places are kept, measured and found around another.',
    does: inOrder(
      ['GEOADD', 'italy', '13.361389', '38.115556', 'Palermo', '15.087269', '37.502669', 'Catania'],
      ['GEODIST', 'italy', 'Palermo', 'Catania', 'km'],
      ['GEOSEARCH', 'italy', 'FROMLONLAT', '15', '37', 'BYRADIUS', '200', 'km', 'ASC'],
      ['GEOHASH', 'italy', 'Palermo'],
      ['GEOPOS', 'italy', 'Catania'],
    ),
    gives: ['2', /^166\.2742/, ['Catania', 'Palermo'], ['sqc8b49rny0'], [/^15\.08726/, /^37\.50266/]],
  },
  {
    id: 'streams',
    says: 'Streams take entries, give ranges of them, and are cut to a length.',
    does: inOrder(
      ['XADD', 's', '1-1', 'f', 'one'],
      ['XADD', 's', '2-1', 'f', 'two'],
      ['XLEN', 's'],
      ['XRANGE', 's', '-', '+'],
      ['XREAD', 'COUNT', 5, 'STREAMS', 's', '1-1'],
      ['XTRIM', 's', 'MAXLEN', 1],
      ['XREVRANGE', 's', '+', '-'],
    ),
    gives: [
      '1-1',
      '2-1',
      '2',
      ['1-1', 'f', 'one', '2-1', 'f', 'two'],
      ['s', '2-1', 'f', 'two'],
      '1',
      ['2-1', 'f', 'two'],
    ],
  },
  {
    id: 'consumer-groups',
    says: 'A consumer group hands each entry to one consumer, and keeps it until it is acknowledged.',
    does: inOrder(
      ['XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM'],
      ['XADD', 's', '1-1', 'job', 'a'],
      ['XADD', 's', '1-2', 'job', 'b'],
      ['XREADGROUP', 'GROUP', 'g', 'ann', 'COUNT', 1, 'STREAMS', 's', '>'],
      ['XREADGROUP', 'GROUP', 'g', 'bob', 'COUNT', 1, 'STREAMS', 's', '>'],
      ['XACK', 's', 'g', '1-1'],
      ['XPENDING', 's', 'g'],
      ['XCLAIM', 's', 'g', 'ann', 0, '1-2', 'JUSTID'],
      ['XAUTOCLAIM', 's', 'g', 'bob', 0, '0', 'JUSTID'],
    ),
    gives: [
      ...['OK', '1-1', '1-2', ['s', '1-1', 'job', 'a'], ['s', '1-2', 'job', 'b'], '1'],
      ['1', '1-2', '1-2', 'bob', '1'],
      ['1-2'],
      ['0-0', '1-2'],
    ],
  },
  {
    id: 'sort',
    says: 'SORT orders a list by its elements, and stores the result in the same slot.',
    does: inOrder(
      ['RPUSH', '{n}', 3, 1, 2],
      ['SORT', '{n}'],
      ['SORT', '{n}', 'DESC', 'LIMIT', 0, 2],
      ['SORT', '{n}', 'ALPHA', 'STORE', '{n}:sorted'],
      ['LRANGE', '{n}:sorted', 0, -1],
    ),
    gives: ['3', ['1', '2', '3'], ['3', '2'], '3', ['1', '2', '3']],
  },
  {
    id: 'copy-rename',
    says: 'COPY and RENAME work between keys of one slot.',
    does: inOrder(
      ['SET', '{c}1', 'x'],
      ['COPY', '{c}1', '{c}2'],
      ['COPY', '{c}1', '{c}2'],
      ['COPY', '{c}1', '{c}2', 'REPLACE'],
      ['RENAME', '{c}2', '{c}3'],
      ['GET', '{c}3'],
    ),
    gives: ['OK', '1', '0', '1', 'OK', 'x'],
  },
  {
    id: 'dump-restore',
    says: 'DUMP gives bytes from which RESTORE makes the same value under any other key.',
    does: async ({ client }) => {
      await client.send('RPUSH', 'from', 'a', 'b');
      const bytes = (await client.sendForBytes('DUMP', 'from'))!;
      return [
        await client.send('RESTORE', 'to', 0, bytes),
        await client.send('LRANGE', 'to', 0, -1),
        await outcome(client.send('RESTORE', 'to', 0, bytes)),
        await outcome(client.send('RESTORE', 'bad', 0, bytes.subarray(1))),
      ];
    },
    gives: ['OK', ['a', 'b'], failing(/busy.*exists/), failing(/DUMP payload/)],
  },
  {
    id: 'object-type',
    says: 'TYPE and OBJECT tell how a value is kept; MEMORY USAGE how much it takes.',
    does: inOrder(
      ['SET', 'n', 12],
      ['TYPE', 'n'],
      ['TYPE', 'missing'],
      ['OBJECT', 'ENCODING', 'n'],
      ['OBJECT', 'IDLETIME', 'n'],
      ['OBJECT', 'ENCODING', 'missing'],
      ['MEMORY', 'USAGE', 'n'],
    ),
    gives: [
      'OK',
      'string',
      'none',
      'int',
      /^[01]$/,
      holds('nothing or an error', (v) => v === null || /no such key/.test(String(v))),
      atLeast(1),
    ],
  },
  {
    id: 'wrong-type',
    says: "Errors are the engine's own: of a wrong type, a wrong number of words, an unknown command.",
    does: inOrder(['SET', 'text', 'x'], ['LPUSH', 'text', 'y'], ['GET'], ['NOSUCH', 'a', 'b']),
    gives: ['OK', failing(/wrong kind of value/), failing(/wrong number of arguments/), failing(/unknown command/)],
  },
];

const BYTES: readonly Behaviour[] = [
  {
    id: 'binary',
    says: 'Keys, fields and values are bytes: every byte goes in and comes out, line ends and zeros too.',
    does: async ({ client }) => {
      const key = Buffer.concat([Buffer.from('key '), ALL_BYTES]);
      await client.send('SET', key, ALL_BYTES);
      await client.send('HSET', 'hash', key, ALL_BYTES);
      return [
        (await client.sendForBytes('GET', key))?.equals(ALL_BYTES),
        (await client.sendForBytes('HGET', 'hash', key))?.equals(ALL_BYTES),
        await client.send('EXISTS', key),
      ];
    },
    gives: [true, true, '1'],
  },
  {
    id: 'unicode',
    says: 'Text in any script keeps its letters, in keys and in values.',
    does: inOrder(['SET', 'schlüssel:东京', 'Größe 🗝️ ключ'], ['GET', 'schlüssel:东京'], ['STRLEN', 'schlüssel:东京']),
    gives: ['OK', 'Größe 🗝️ ключ', '24'],
  },
  {
    id: 'megabyte',
    says: 'A value of a megabyte arrives whole, and goes beside small ones in one pipeline.',
    does: async ({ client }) => {
      const big = Buffer.alloc(MEGABYTE, 'valkeeper ');
      const replies = await client.pipeline([
        ['SET', 'small:1', 'x'],
        ['SET', 'big', big],
        ['STRLEN', 'big'],
        ['GET', 'small:1'],
      ]);
      return [replies, (await client.sendForBytes('GET', 'big'))?.equals(big)];
    },
    gives: [['OK', 'OK', String(MEGABYTE), 'x'], true],
  },
  {
    id: 'empty',
    says: 'An empty key and an empty value are a key and a value.',
    does: inOrder(['SET', '', ''], ['GET', ''], ['EXISTS', ''], ['DEL', '']),
    gives: ['OK', '', '1', '1'],
  },
];

const SPREAD: readonly Behaviour[] = [
  {
    id: 'mset-mget',
    says: 'MSET and MGET work on keys of all slots; values come in the order of the keys, with a gap where there is none.',
    does: async ({ client }) => {
      const keys = names('m', MANY);
      const stored = await client.send('MSET', ...keys.flatMap((key) => [key, `value of ${key}`]));
      const found = (await client.send('MGET', 'missing', ...keys, keys[0]!)) as string[];
      return [stored, found.join()];
    },
    gives: ['OK', ['', ...names('value of m', MANY), 'value of m:0'].join()],
  },
  {
    id: 'own-many-keys',
    says: "The library's own MSET, MGET, EXISTS and DEL work on keys of all slots.",
    does: async ({ client: { own } }) => {
      const keys = names('o', MANY);
      await own.mset(Object.fromEntries(keys.map((key) => [key, key.toUpperCase()])));
      return [(await own.mget(keys)).join(), await own.exists([...keys, 'missing']), await own.del(keys)];
    },
    gives: [names('O', MANY).join(), MANY, MANY],
  },
  {
    id: 'counts',
    says: 'EXISTS, TOUCH, UNLINK and DEL count over all slots, a key named twice as the engine does.',
    does: async (stage) => {
      const { client } = stage;
      const keys = await manyKeys(stage, 'd');
      return [
        await client.send('EXISTS', ...keys, keys[0]!, 'missing'),
        await client.send('TOUCH', ...keys, 'missing'),
        await client.send('UNLINK', ...keys.slice(0, 20)),
        await client.send('DEL', ...keys),
      ];
    },
    gives: [String(MANY + 1), String(MANY), '20', String(MANY - 20)],
  },
  {
    id: 'hash-tags',
    says: 'Keys with the same {tag} are together: what needs one slot works on them.',
    does: inOrder(
      ['MSETNX', 'user:{7}:name', 'Ada', 'user:{7}:town', 'London'],
      ['LCS', 'user:{7}:name', 'user:{7}:town'],
      ['MGET', 'user:{7}:name', 'user:{7}:town'],
    ),
    gives: ['1', 'd', ['Ada', 'London']],
  },
  {
    id: 'cross-slot',
    says: 'A command that needs its keys together is refused otherwise; the error names two of the keys and the way out.',
    does: inOrder(
      ['RENAME', 'first', 'second'],
      ['SUNION', 'first', 'second'],
      ['MSETNX', 'first', 1, 'second', 2],
      ['EVAL', 'return 1', 2, 'first', 'second'],
      ['BLPOP', 'first', 'second', 1],
    ),
    gives: Array.from({ length: 5 }, () => failing(/cross-?slot.*"first" and "second".*\{tag\}/)),
  },
  {
    id: 'pipeline',
    says: 'A pipeline over all shards is answered in the order of its commands, an error in its place.',
    does: async ({ client }) => {
      const keys = names('p', 300);
      const commands = keys.flatMap((key, index): Command[] => [
        ['SET', key, index],
        [index === 150 ? 'LPUSH' : 'INCR', key, ...(index === 150 ? ['x'] : [])],
        ['GET', key],
      ]);
      const replies = await client.pipeline(commands);
      const wrong = keys.flatMap((_, index) => {
        const [set, changed, got] = replies.slice(3 * index, 3 * index + 3);
        const right =
          index === 150
            ? failing(/wrong kind of value/).test(String(changed)) && got === '150'
            : changed === String(index + 1) && got === changed;
        return set === 'OK' && right ? [] : [index];
      });
      return [replies.length, wrong];
    },
    gives: [900, []],
  },
];

const TRANSACTIONS: readonly Behaviour[] = [
  {
    id: 'multi-exec',
    says: 'A transaction on keys of one slot is carried out as a whole, in order.',
    does: ({ client }) =>
      client.transaction([
        ['SET', '{t}a', 1],
        ['INCR', '{t}a'],
        ['RPUSH', '{t}b', 'x', 'y'],
        ['GET', '{t}a'],
        ['LRANGE', '{t}b', 0, -1],
      ]),
    gives: ['OK', '2', '2', '2', ['x', 'y']],
  },
  {
    id: 'multi-error-inside',
    says: 'A command that fails inside of a transaction does not undo the others.',
    does: async ({ client }) => [
      await client.transaction([
        ['SET', '{t}a', 'text'],
        ['INCR', '{t}a'],
        ['APPEND', '{t}a', '!'],
      ]),
      await client.send('GET', '{t}a'),
    ],
    gives: [['OK', failing(/not an integer/), '5'], 'text!'],
  },
  {
    id: 'execabort',
    says: 'A transaction with a command that cannot be is not carried out at all.',
    does: async ({ open }) => {
      const client = await open();
      const refusal = await outcome(
        client.transaction([
          ['SET', '{t}a', 1],
          ['GET', '{t}a', 'one word too many'],
        ]),
      );
      return [refusal, await client.send('GET', '{t}a')];
    },
    gives: [failing(/(execabort|exec ?abort|discarded|wrong number of arguments)/), null],
  },
  {
    id: 'multi-cross-slot',
    says: 'A transaction on keys of two slots is refused, with both named, and does nothing.',
    does: async ({ open }) => {
      const client = await open();
      const refusal = await outcome(
        client.transaction([
          ['SET', 'first', 1],
          ['SET', 'second', 2],
        ]),
      );
      return [refusal, await client.send('EXISTS', 'first', 'second')];
    },
    gives: [failing(/("first" and "second"|execabort|exec ?abort|discarded)/), '0'],
  },
  {
    id: 'watch-abort',
    says: 'A transaction is not carried out when a watched key was changed by another client.',
    does: async ({ client, open }) => {
      const watcher = await open();
      await client.send('SET', '{w}k', 1);
      await watcher.watch('{w}k');
      await client.send('SET', '{w}k', 2);
      return [await watcher.transaction([['SET', '{w}k', 3]]), await client.send('GET', '{w}k')];
    },
    gives: [null, '2'],
  },
  {
    id: 'watch-success',
    says: 'A transaction is carried out when the watched keys stayed as they were; keys changed elsewhere do not matter.',
    does: async ({ client, open }) => {
      const watcher = await open();
      await client.send('SET', '{w}k', 1);
      await watcher.watch('{w}k');
      const seen = await watcher.send('GET', '{w}k');
      await client.send('SET', 'elsewhere', 2);
      return [seen, await watcher.transaction([['INCR', '{w}k']]), await client.send('GET', '{w}k')];
    },
    gives: ['1', ['2'], '2'],
  },
];

const blocked = async ({ client, until }: Stage, count: number): Promise<void> =>
  until(`${count} clients are blocked`, async () => {
    const info = String(await client.send('INFO', 'clients'));
    return info.includes(`blocked_clients:${count}`);
  });

const BLOCKING: readonly Behaviour[] = [
  {
    id: 'blpop',
    says: 'BLPOP holds up only the client that waits, which gets what another client pushes.',
    does: async (stage) => {
      const { client, open } = stage;
      const waiter = await open();
      const waiting = outcome(waiter.send('BLPOP', 'queue', 0));
      await blocked(stage, 1);
      const meanwhile = await client.pipeline([
        ['SET', 'other', 'x'],
        ['LLEN', 'queue'],
      ]);
      const pushed = await client.send('RPUSH', 'queue', 'job');
      return [meanwhile, pushed, await waiting, await client.send('EXISTS', 'queue')];
    },
    gives: [['OK', '0'], '1', ['queue', 'job'], '0'],
  },
  {
    id: 'own-blpop',
    says: "The library's own blocking pop waits, and gives nothing when its time is over.",
    does: async (stage) => {
      const { client, open } = stage;
      const [waiter, other] = [await open(), await open()];
      const inTime = waiter.own.blpop('queue', 20);
      await blocked(stage, 1);
      await client.send('RPUSH', 'queue', 'job');
      return [await inTime, await other.own.blpop('empty', 0.05)];
    },
    gives: ['job', null],
  },
  {
    id: 'block-order',
    says: 'Of several clients that wait for one key, the one that came first is served first.',
    does: async (stage) => {
      const { client, open } = stage;
      const first = (await open()).send('BRPOP', 'queue', 0);
      await blocked(stage, 1);
      const second = (await open()).send('BZPOPMIN', 'zset', 0);
      const third = (await open()).send('BRPOP', 'queue', 0);
      await blocked(stage, 3);
      await client.send('RPUSH', 'queue', 'for the first');
      await client.send('ZADD', 'zset', 5, 'for the second');
      await client.send('RPUSH', 'queue', 'for the third');
      return [await first, await second, await third];
    },
    gives: [
      ['queue', 'for the first'],
      ['zset', 'for the second', '5'],
      ['queue', 'for the third'],
    ],
  },
  {
    id: 'blmove',
    says: 'BLMOVE waits, and moves what comes within its slot.',
    does: async (stage) => {
      const { client, open } = stage;
      const waiting = (await open()).send('BLMOVE', '{q}in', '{q}out', 'LEFT', 'RIGHT', 0);
      await blocked(stage, 1);
      await client.send('RPUSH', '{q}in', 'x');
      return [await waiting, await client.send('LRANGE', '{q}out', 0, -1)];
    },
    gives: ['x', ['x']],
  },
  {
    id: 'xread-block',
    says: 'XREAD BLOCK and XREADGROUP BLOCK wait for the next entry.',
    does: async (stage) => {
      const { client, open } = stage;
      await client.send('XGROUP', 'CREATE', 's', 'g', '$', 'MKSTREAM');
      const reading = (await open()).send('XREAD', 'BLOCK', 0, 'STREAMS', 's', '$');
      const member = (await open()).send('XREADGROUP', 'GROUP', 'g', 'me', 'BLOCK', 0, 'STREAMS', 's', '>');
      await blocked(stage, 2);
      await client.send('XADD', 's', '5-1', 'f', 'v');
      return [await reading, await member, await client.send('XREAD', 'BLOCK', 20, 'STREAMS', 's', '$')];
    },
    gives: [['s', '5-1', 'f', 'v'], ['s', '5-1', 'f', 'v'], null],
  },
  {
    id: 'unblock',
    says: 'CLIENT UNBLOCK releases a client that waits, by the id that it was told.',
    does: async (stage) => {
      const { client, open } = stage;
      const waiter = await open();
      const id = String(await waiter.send('CLIENT', 'ID'));
      const waiting = outcome(waiter.send('BLPOP', 'queue', 0));
      await blocked(stage, 1);
      return [await client.send('CLIENT', 'UNBLOCK', id), await waiting, await client.send('CLIENT', 'UNBLOCK', id)];
    },
    gives: ['1', null, '0'],
  },
];

const SCRIPT = "return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])}";

const SCRIPTS: readonly Behaviour[] = [
  {
    id: 'eval',
    says: 'EVAL runs where its keys are; errors of the script come back.',
    does: inOrder(
      ['EVAL', SCRIPT, 1, 'counter', 5],
      ['EVAL', SCRIPT, 1, 'other', 1],
      ['EVAL', 'return ARGV[1]', 0, 'no key'],
      ['EVAL', "return redis.error_reply('ERR mine')", 0],
      ['EVAL_RO', "return redis.call('GET', KEYS[1])", 1, 'counter'],
      ['EVAL_RO', "return redis.call('SET', KEYS[1], 1)", 1, 'counter'],
    ),
    gives: [
      ['counter', '5', '5'],
      ['other', '1', '1'],
      'no key',
      failing(/mine/),
      '5',
      failing(/(read-only|write command)/),
    ],
  },
  {
    id: 'evalsha',
    says: 'A script loaded once runs by its digest on every shard.',
    does: async ({ client }) => {
      const sha = String(await client.send('SCRIPT', 'LOAD', SCRIPT));
      const runs = await client.pipeline(names('e', MANY).map((key): Command => ['EVALSHA', sha, 1, key, 2]));
      return [
        runs.filter((reply, index) => String(reply) === `e:${index},2,2`).length,
        await client.send('SCRIPT', 'EXISTS', sha, '0'.repeat(40)),
        await client.send('SCRIPT', 'FLUSH'),
        await outcome(client.send('EVALSHA', sha, 1, 'e:0', 2)),
      ];
    },
    gives: [MANY, ['1', '0'], 'OK', failing(/no ?script|no matching script/)],
  },
  {
    id: 'noscript-healed',
    says: 'A script that the endpoint has seen is loaded again where a node has lost it.',
    does: async ({ client, everyNode }) => {
      const sha = String(await client.send('SCRIPT', 'LOAD', SCRIPT));
      await everyNode('SCRIPT', 'FLUSH');
      const runs = await client.pipeline(names('e', MANY).map((key): Command => ['EVALSHA', sha, 1, key, 2]));
      return runs.filter((reply, index) => String(reply) === `e:${index},2,2`).length;
    },
    gives: MANY,
  },
  {
    id: 'own-script',
    says: "The library's own way to keep scripts works for keys of every shard.",
    does: ({ client: { own } }) =>
      Promise.all(names('k', 9).map(async (key) => outcome(own.script(SCRIPT, [key], ['3'])))),
    gives: names('k', 9).map((key) => [key, '3', '3']),
  },
  {
    id: 'functions',
    says: 'A library of functions is loaded once and called on every shard.',
    does: async ({ client }) => {
      const code =
        "#!lua name=compat\nserver.register_function('twice', function(keys, args) return server.call('SET', keys[1], args[1] .. args[1]) end)";
      const loaded = await client.send('FUNCTION', 'LOAD', 'REPLACE', code);
      const calls = await client.pipeline(names('f', MANY).map((key): Command => ['FCALL', 'twice', 1, key, 'ab']));
      const values = (await client.send('MGET', ...names('f', MANY))) as string[];
      const listed = (await client.send('FUNCTION', 'LIST', 'LIBRARYNAME', 'compat')) as string[];
      const deleted = await client.send('FUNCTION', 'DELETE', 'compat');
      return [
        ...[loaded, calls.filter((reply) => reply === 'OK').length, values.filter((value) => value === 'abab').length],
        ...[listed.includes('twice'), deleted, await outcome(client.send('FCALL', 'twice', 1, 'f', 'x'))],
      ];
    },
    gives: ['compat', MANY, MANY, true, 'OK', failing(/function not found/)],
  },
];

const PUBSUB: readonly Behaviour[] = [
  {
    id: 'subscribe',
    says: 'Who subscribes gets what anyone publishes, in order; PUBLISH tells how many it went to.',
    does: async ({ client, open, until }) => {
      const [one, two] = [await open(), await open()];
      const heard = [await one.subscribe('channel', ['news', 'sport']), await two.subscribe('channel', ['news'])];
      const counts = [
        await client.own.publish('news', 'first'),
        await client.own.publish('sport', 'second'),
        await client.own.publish('news', 'third'),
        await client.own.publish('nobody', 'lost'),
      ];
      await until('all is heard', async () => heard[0]!.messages.length >= 3 && heard[1]!.messages.length >= 2);
      return [counts, ...heard.map(({ messages }) => [...messages])];
    },
    gives: [
      [2, 1, 2, 0],
      ['news: first', 'sport: second', 'news: third'],
      ['news: first', 'news: third'],
    ],
    except: { 'GLIDE in RESP2': GLIDE_2 },
  },
  {
    id: 'psubscribe',
    says: 'Who subscribes to a pattern gets every channel that matches.',
    does: async ({ client, open, until }) => {
      const heard = await (await open()).subscribe('pattern', ['news.*']);
      const counts = [await client.own.publish('news.it', 'a'), await client.own.publish('sport', 'b')];
      await client.own.publish('news.de', 'c');
      await until('all is heard', async () => heard.messages.length >= 2);
      return [counts, [...heard.messages]];
    },
    gives: [
      [1, 0],
      ['news.it: a', 'news.de: c'],
    ],
    except: { 'GLIDE in RESP2': GLIDE_2 },
  },
  {
    id: 'ssubscribe',
    says: 'Sharded channels of all slots are heard on one connection.',
    does: async ({ client, open, until }) => {
      const channels = names('shard', 6);
      const heard = await (await open()).subscribe('sharded', channels);
      const counts: Value[] = [];
      for (const channel of channels) counts.push(await client.send('SPUBLISH', channel, 'x'));
      await until('all is heard', async () => heard.messages.length >= channels.length);
      return [counts, [...heard.messages].sort()];
    },
    gives: [Array(6).fill('1'), names('shard', 6).map((channel) => `${channel}: x`)],
    except: { GLIDE: 'It has sharded channels in cluster mode only, and keeps SSUBSCRIBE back otherwise.' },
  },
  {
    id: 'unsubscribe',
    says: 'After UNSUBSCRIBE nothing is heard any more, and the connection takes any command again.',
    does: async ({ client, open }) => {
      const subscriber = await open();
      const heard = await subscriber.subscribe('channel', ['news']);
      await heard.unsubscribe();
      return [await client.own.publish('news', 'x'), await subscriber.send('PING'), [...heard.messages]];
    },
    gives: [0, 'PONG', []],
    except: { 'GLIDE in RESP2': GLIDE_2 },
  },
  {
    id: 'pubsub-tells',
    says: 'PUBSUB tells channels and numbers of subscribers over the whole database.',
    does: async ({ client, open }) => {
      await (await open()).subscribe('channel', ['news', 'sport']);
      await (await open()).subscribe('pattern', ['n*']);
      return [
        await client.send('PUBSUB', 'CHANNELS', 's*'),
        await client.send('PUBSUB', 'NUMSUB', 'news'),
        await client.send('PUBSUB', 'NUMSUB', 'nobody'),
        await client.send('PUBSUB', 'NUMPAT'),
      ];
    },
    gives: [['sport'], ['news', '1'], ['nobody', '0'], '1'],
    except: { 'GLIDE in RESP2': GLIDE_2 },
  },
  {
    id: 'keyspace-events',
    says: 'Keyspace events of all shards are heard on one connection.',
    does: async ({ client, open, until }) => {
      await client.send('CONFIG', 'SET', 'notify-keyspace-events', 'KEA');
      const heard = await (await open()).subscribe('pattern', ['__keyevent@0__:set']);
      const keys = names('event', 30);
      await client.pipeline(keys.map((key): Command => ['SET', key, 1]));
      await until('all is heard', async () => heard.messages.length >= keys.length);
      await client.send('CONFIG', 'SET', 'notify-keyspace-events', '');
      return sameSet(
        heard.messages,
        keys.map((key) => `__keyevent@0__:set: ${key}`),
      );
    },
    gives: true,
    except: { 'GLIDE in RESP2': GLIDE_2 },
  },
];

const CACHING: readonly Behaviour[] = [
  {
    id: 'client-side-cache',
    says: 'A client that keeps what it has read is told when another client changes it, whichever shard it is on.',
    does: async ({ client, openCaching, until }) => {
      const caching = await openCaching();
      const keys = names('cached', 9);
      await client.pipeline(keys.map((key): Command => ['SET', key, 'old']));
      const first = await Promise.all(keys.map((key) => caching.get(key)));
      const again = await Promise.all(keys.map((key) => caching.get(key)));
      const hits = caching.hits();
      await client.pipeline(keys.map((key): Command => ['SET', key, 'new']));
      for (const key of keys) await until(`${key} is read anew`, async () => (await caching.get(key)) === 'new');
      caching.close();
      return [new Set([...first, ...again]).size, first[0], hits > 0];
    },
    gives: [1, 'old', true],
    except: {
      iovalkey: 'It speaks RESP2 only, in which nobody can be told.',
      'ioredis in RESP2': 'RESP2 has no messages beside replies; TRACKING needs RESP3.',
      'node-redis in RESP2': 'Its client-side cache needs RESP3.',
      'GLIDE in RESP2': 'Its client-side cache needs RESP3.',
    },
  },
  {
    id: 'tracking-info',
    says: 'CLIENT TRACKINGINFO and GETREDIR tell whether reads are tracked; REDIRECT takes clients of the endpoint only.',
    does: inOrder(
      ['CLIENT', 'GETREDIR'],
      ['CLIENT', 'TRACKINGINFO'],
      ['CLIENT', 'TRACKING', 'ON', 'REDIRECT', 987_654_321],
    ),
    gives: ['-1', ['flags', 'off', 'redirect', '-1', 'prefixes'], failing(/redirect to does not exist/)],
  },
];

const NUMBERED: readonly Behaviour[] = [
  {
    id: 'select',
    says: 'Databases 0 to 15 are apart: each has its own value of the same key.',
    does: async ({ open }) => {
      const client = await open();
      const values: Value[] = [];
      for (let db = 0; db < DATABASES; db += 1) {
        await client.send('SELECT', db);
        await client.send('SET', 'which', db);
      }
      for (let db = 0; db < DATABASES; db += 1) {
        await client.send('SELECT', db);
        values.push(await client.send('GET', 'which'));
      }
      return [values, await outcome(client.send('SELECT', DATABASES)), await client.send('GET', 'which')];
    },
    gives: [Array.from({ length: DATABASES }, (_, db) => String(db)), failing(/out of range/), '15'],
  },
  {
    id: 'own-database',
    says: 'A client that is opened with a number of a database is in it.',
    does: async ({ client, open }) => {
      const inFive = await open({ db: 5 });
      await client.send('SET', 'which', 'zero');
      await inFive.own.set('which', 'five');
      return [await client.own.get('which'), await inFive.own.get('which'), await inFive.own.dbsize()];
    },
    gives: ['zero', 'five', 1],
  },
  {
    id: 'flushdb',
    says: 'FLUSHDB empties one database on all shards and leaves the others; FLUSHALL empties all.',
    does: async (stage) => {
      const { client, open } = stage;
      const inThree = await open({ db: 3 });
      await manyKeys(stage, 'a');
      await manyKeys({ ...stage, client: inThree }, 'b');
      const flushed = await inThree.send('FLUSHDB');
      const left = [await client.send('DBSIZE'), await inThree.send('DBSIZE')];
      await inThree.send('SET', 'c', 1);
      return [flushed, left, await client.send('FLUSHALL'), await client.send('DBSIZE'), await inThree.send('DBSIZE')];
    },
    gives: ['OK', [String(MANY), '0'], 'OK', '0', '0'],
  },
  {
    id: 'copy-between',
    says: 'COPY and MOVE take a key to another numbered database.',
    does: async ({ client, open }) => {
      const inTwo = await open({ db: 2 });
      await client.send('SET', 'k', 'v');
      return [
        await client.send('COPY', 'k', 'k', 'DB', 2),
        await inTwo.send('GET', 'k'),
        await inTwo.send('DEL', 'k'),
        await client.send('MOVE', 'k', 2),
        await inTwo.send('GET', 'k'),
        await client.send('EXISTS', 'k'),
      ];
    },
    gives: ['1', 'v', '1', '1', 'v', '0'],
  },
];

const WHOLE: readonly Behaviour[] = [
  {
    id: 'scan',
    says: 'SCAN finds every key of all shards, with any COUNT.',
    does: async (stage) => {
      const keys = await manyKeys(stage, 'scan', SCANNED);
      return sameSet(await scanAll(stage, 'COUNT', 500), keys);
    },
    gives: true,
  },
  {
    id: 'scan-match',
    says: 'SCAN takes MATCH and TYPE, alone and together, and a pattern with a {tag}.',
    does: async (stage) => {
      const { client } = stage;
      await manyKeys(stage, 'text');
      await client.pipeline(names('list', MANY).map((key): Command => ['RPUSH', key, 'x']));
      await client.pipeline(names('{tag}', 5).map((key): Command => ['SET', key, 'x']));
      return [
        sameSet(await scanAll(stage, 'MATCH', 'text:*'), names('text', MANY)),
        sameSet(await scanAll(stage, 'TYPE', 'list', 'COUNT', 100), names('list', MANY)),
        sameSet(
          await scanAll(stage, 'MATCH', '*:1*', 'TYPE', 'list'),
          names('list', MANY).filter((key) => /:1/.test(key)),
        ),
        sameSet(await scanAll(stage, 'MATCH', '{tag}:*'), names('{tag}', 5)),
      ];
    },
    gives: [true, true, true, true],
  },
  {
    id: 'own-scan',
    says: "The library's own iteration over keys finds them all.",
    does: async (stage) => {
      await manyKeys(stage, 'text', 500);
      await stage.client.pipeline(names('set', MANY).map((key): Command => ['SADD', key, 'x']));
      const unique = async (options: { match?: string; count?: number; type?: string }) => [
        ...new Set(await stage.client.own.scan(options)),
      ];
      return [
        sameSet(await unique({ match: 'text:*', count: 100 }), names('text', 500)),
        (await unique({ count: 200 })).length,
        sameSet(await unique({ type: 'set' }), names('set', MANY)),
      ];
    },
    gives: [true, 500 + MANY, true],
  },
  {
    id: 'hscan',
    says: 'A large hash is iterated over whole; so are sets and sorted sets.',
    does: async ({ client }) => {
      const fields = Object.fromEntries(names('field', 1_000).map((name, index) => [name, String(index)]));
      await client.own.hset('hash', fields);
      await client.send('SADD', 'set', 1, 2, 3);
      await client.send('ZADD', 'zset', 1, 'a');
      const found = await client.own.hscan('hash');
      return [
        Object.keys(found).length,
        found['field:999'],
        await client.send('SSCAN', 'set', 0),
        await client.send('ZSCAN', 'zset', 0),
        ((await client.send('HSCAN', 'hash', 0, 'MATCH', 'field:1', 'COUNT', 5_000)) as string[]).slice(1),
      ];
    },
    gives: [1_000, '999', inAnyOrder('0', '1', '2', '3'), ['0', 'a', '1'], ['field:1', '1']],
  },
  {
    id: 'dbsize-keys',
    says: 'DBSIZE counts all keys, KEYS lists all that match.',
    does: async (stage) => {
      const { client } = stage;
      const keys = await manyKeys(stage, 'k');
      return [
        await client.own.dbsize(),
        sameSet((await client.send('KEYS', '*')) as string[], keys),
        await client.send('KEYS', 'k:7'),
        await client.send('KEYS', 'nothing*'),
      ];
    },
    gives: [MANY, true, ['k:7'], []],
  },
  {
    id: 'randomkey',
    says: 'RANDOMKEY gives keys of any shard, nothing when there is none, and the only one when there is one.',
    does: async (stage) => {
      const { client } = stage;
      const none = await client.send('RANDOMKEY');
      await client.send('SET', 'only', 1);
      const only = await client.send('RANDOMKEY');
      const keys = await manyKeys(stage, 'r');
      const found = await client.pipeline(Array.from({ length: 100 }, () => ['RANDOMKEY'] as const));
      return [none, only, found.every((key) => key === 'only' || keys.includes(String(key))), new Set(found).size];
    },
    gives: [null, 'only', true, atLeast(20)],
  },
];

const CONNECTION: readonly Behaviour[] = [
  {
    id: 'ping-echo',
    says: 'PING and ECHO are answered.',
    does: inOrder(['PING'], ['PING', 'hello'], ['ECHO', 'hello']),
    gives: ['PONG', 'hello', 'hello'],
  },
  {
    id: 'client-name',
    says: 'A client names itself, and is found by that name in CLIENT LIST.',
    does: async ({ client, open }) => {
      const named = await open();
      const set = await named.send('CLIENT', 'SETNAME', 'worker-7');
      const id = String(await named.send('CLIENT', 'ID'));
      const list = String(await client.send('CLIENT', 'LIST'));
      return [
        set,
        await named.send('CLIENT', 'GETNAME'),
        list.split('\n').some((line) => line.startsWith(`id=${id} `) && line.includes('name=worker-7')),
        String(await client.send('CLIENT', 'LIST', 'ID', id))
          .trim()
          .split('\n').length,
        await outcome(named.send('CLIENT', 'SETNAME', 'with space')),
      ];
    },
    gives: ['OK', 'worker-7', true, 1, failing(/cannot contain spaces/)],
  },
  {
    id: 'client-info',
    says: 'CLIENT ID is unique, CLIENT INFO tells of this client: library, protocol, database.',
    does: async ({ client, open }) => {
      const other = await open({ db: 4 });
      const info = String(await other.send('CLIENT', 'INFO'));
      return [
        (await client.send('CLIENT', 'ID')) !== (await other.send('CLIENT', 'ID')),
        /\bdb=4\b/.test(info),
        info.includes(`resp=${client.resp}`),
        /lib-name=\S/.test(info) || client.name === 'iovalkey' || client.name === 'ioredis',
      ];
    },
    gives: [true, true, true, true],
  },
  {
    id: 'client-kill',
    says: 'CLIENT KILL ends another client of the endpoint, by its id.',
    does: async ({ client, open, until }) => {
      const id = String(await (await open()).send('CLIENT', 'ID'));
      const killed = await client.send('CLIENT', 'KILL', 'ID', id);
      await until('it is gone', async () => !String(await client.send('CLIENT', 'LIST')).includes(`id=${id} `));
      return killed;
    },
    gives: '1',
  },
  {
    id: 'client-pause',
    says: 'CLIENT PAUSE holds up the commands of all clients that it names, until CLIENT UNPAUSE.',
    does: async ({ client, open }) => {
      const [writer, reader] = [await open(), await open()];
      const paused = await client.send('CLIENT', 'PAUSE', 15_000, 'WRITE');
      let isWritten = false;
      const writing = writer.send('SET', 'k', 'v').finally(() => {
        isWritten = true;
      });
      const meanwhile = [await reader.send('GET', 'k'), isWritten];
      const goesOn = await client.send('CLIENT', 'UNPAUSE');
      return [paused, meanwhile, goesOn, await writing, await reader.send('GET', 'k')];
    },
    gives: ['OK', [null, false], 'OK', 'OK', 'v'],
  },
  {
    id: 'hello',
    says: 'HELLO tells server, version and protocol; a protocol that there is not is refused.',
    does: async ({ client }) => {
      const hello = (await client.send('HELLO')) as string[];
      const of = (name: string) => hello[hello.indexOf(name) + 1];
      return [of('proto'), of('mode'), of('role'), of('version'), await outcome(client.send('HELLO', 9))];
    },
    gives: [/^[23]$/, 'standalone', 'master', /^\d+\.\d+/, failing(/(noproto|unsupported protocol)/)],
  },
  {
    id: 'auth-right',
    says: 'AUTH with the right password makes a client another user.',
    does: async ({ open }) => {
      const client = await open();
      const before = await client.send('ACL', 'WHOAMI');
      return [before, await client.send('AUTH', 'reader', 'reader-secret'), await client.send('ACL', 'WHOAMI')];
    },
    gives: ['default', 'OK', 'reader'],
  },
  {
    id: 'auth-wrong',
    says: 'AUTH with a wrong password or an unknown user is refused, and the client stays who it was.',
    does: async ({ open }) => {
      const client = await open();
      return [
        await outcome(client.send('AUTH', 'wrong')),
        await outcome(client.send('AUTH', 'reader', 'wrong')),
        await outcome(client.send('AUTH', 'nobody', 'reader-secret')),
        await client.send('ACL', 'WHOAMI'),
      ];
    },
    gives: [
      ...Array.from({ length: 3 }, () => failing(/(wrongpass|invalid username-password|authentication failed)/)),
      'default',
    ],
  },
  {
    id: 'no-password',
    says: 'A client that gives a wrong password, or none, gets no answer but that.',
    does: async ({ open }) => [
      await outcome(open({ password: 'wrong' }).then((client) => client.send('GET', 'k'))),
      await outcome(open({ password: '' }).then((client) => client.send('GET', 'k'))),
    ],
    gives: [
      failing(/(wrongpass|invalid username-password|authentication failed)/),
      failing(/(noauth|authentication required)/),
    ],
  },
  {
    id: 'limited-user',
    says: 'A user with limited rules does what they allow; the rest is refused with NOPERM.',
    does: async ({ client, open }) => {
      await client.send('MSET', 'open:a', 'a', 'open:b', 'b', 'closed', 'c');
      const reader = await open({ user: 'reader', password: 'reader-secret' });
      return [
        await reader.own.get('open:a'),
        await reader.send('MGET', 'open:a', 'open:b'),
        await outcome(reader.send('GET', 'closed')),
        await outcome(reader.send('SET', 'open:a', 'x')),
        await outcome(reader.send('MGET', 'open:a', 'closed')),
        await outcome(reader.send('FLUSHALL')),
        await client.own.get('open:a'),
      ];
    },
    gives: [
      'a',
      ['a', 'b'],
      failing(/(noperm|no permissions)/),
      failing(/(noperm|no permissions)/),
      failing(/(noperm|no permissions)/),
      failing(/(noperm|no permissions)/),
      'a',
    ],
  },
  {
    id: 'reset',
    says: 'RESET makes a connection as it was when it was new: no name, no transaction, not admitted.',
    does: async ({ open }) => {
      const client = await open();
      await client.send('CLIENT', 'SETNAME', 'before');
      const reset = await client.send('RESET');
      return [reset, await outcome(client.send('GET', 'k'))];
    },
    gives: ['RESET', failing(/(noauth|authentication required)/)],
    except: {},
  },
  {
    id: 'quit',
    says: 'QUIT is answered before the connection ends.',
    does: async ({ open }) => (await open()).send('QUIT'),
    gives: 'OK',
  },
];

const infoField = (info: string, name: string): string | undefined =>
  new RegExp(`^${name}:(.*)\r$`, 'm').exec(info)?.[1];

const SERVER: readonly Behaviour[] = [
  {
    id: 'info',
    says: 'INFO is that of one server: a primary, not a cluster, with the keys of all shards counted.',
    does: async (stage) => {
      await manyKeys(stage, 'i');
      const info = await stage.client.own.info();
      return [
        infoField(info, 'redis_mode') ?? infoField(info, 'server_mode'),
        infoField(info, 'role'),
        infoField(info, 'cluster_enabled'),
        infoField(info, 'redis_version'),
        infoField(info, 'db0')?.split(',')[0],
      ];
    },
    gives: ['standalone', 'master', '0', /^\d+\.\d+\.\d+/, `keys=${MANY}`],
  },
  {
    id: 'info-section',
    says: 'INFO gives the sections that were asked for, and no more.',
    does: async ({ client }) => {
      const memory = String(await client.send('INFO', 'memory'));
      return [Number(infoField(memory, 'used_memory')) > 0, infoField(memory, 'role') === undefined];
    },
    gives: [true, true],
  },
  {
    id: 'config-get',
    says: 'CONFIG GET tells parameters, by name and by pattern; secrets of the nodes are not among them.',
    does: async ({ client }) => [
      await client.own.configGet('maxmemory-policy'),
      await client.send('CONFIG', 'GET', 'databases'),
      ((await client.send('CONFIG', 'GET', 'maxmemory*')) as string[]).includes('maxmemory'),
      await client.send('CONFIG', 'GET', 'primaryauth'),
    ],
    gives: ['noeviction', ['databases', '16'], true, holds('no secret', (value) => !String(value).includes('secret'))],
  },
  {
    id: 'config-set',
    says: 'CONFIG SET changes what an application may choose, on all nodes; what the spec says is not changed by it.',
    does: async ({ client, everyNode }) => {
      const set = await client.send('CONFIG', 'SET', 'slowlog-log-slower-than', 12_345);
      const told = await everyNode('CONFIG', 'GET', 'slowlog-log-slower-than');
      const refusal = await outcome(client.send('CONFIG', 'SET', 'maxmemory', '1gb'));
      await client.send('CONFIG', 'SET', 'slowlog-log-slower-than', 10_000);
      return [set, told.every((text) => text.includes('12345')), refusal];
    },
    gives: ['OK', true, failing(/valkeeper db update/)],
  },
  {
    id: 'command',
    says: 'COMMAND tells of the commands, and where their keys are.',
    does: async ({ client }) => [
      await client.send('COMMAND', 'COUNT'),
      ((await client.send('COMMAND', 'INFO', 'get')) as string[]).slice(0, 2),
      await client.send('COMMAND', 'GETKEYS', 'MSET', 'a', 1, 'b', 2),
      ((await client.send('COMMAND', 'DOCS', 'get')) as string[]).includes('summary'),
      ((await client.send('COMMAND', 'LIST', 'FILTERBY', 'PATTERN', 'xread*')) as string[]).sort(),
    ],
    gives: [atLeast(200), ['get', '2'], ['a', 'b'], true, ['xread', 'xreadgroup']],
  },
  {
    id: 'time-role',
    says: 'TIME, LASTSAVE and ROLE are answered, as by a server without replicas.',
    does: inOrder(['TIME'], ['LASTSAVE'], ['ROLE']),
    gives: [holds('two numbers', (value: string[]) => value.length === 2), /^\d+$/, ['master', '0']],
  },
  {
    id: 'slowlog',
    says: 'SLOWLOG is one log of all shards.',
    does: async ({ client }) => {
      await client.send('CONFIG', 'SET', 'slowlog-log-slower-than', 0);
      await client.send('SLOWLOG', 'RESET');
      await client.pipeline(names('slow', MANY).map((key): Command => ['SET', key, 1]));
      await client.send('CONFIG', 'SET', 'slowlog-log-slower-than', 10_000);
      const length = Number(await client.send('SLOWLOG', 'LEN'));
      const entries = (await client.send('SLOWLOG', 'GET', 200)) as string[];
      return [length >= MANY, names('slow', MANY).every((key) => entries.includes(key))];
    },
    gives: [true, true],
  },
  {
    id: 'wait',
    says: 'WAIT tells how many replicas have what was written: none here, at once or when its time is over.',
    does: inOrder(['SET', 'k', 'v'], ['WAIT', 0, 0], ['WAIT', 1, 30]),
    gives: ['OK', '0', '0'],
  },
  {
    id: 'readonly',
    says: 'READONLY and READWRITE say whether this connection may read from replicas; writes go on either way.',
    does: async ({ open }) => {
      const client = await open();
      await client.send('SET', 'k', 'v');
      return [
        await client.send('READONLY'),
        await client.send('GET', 'k'),
        await client.send('SET', 'k', 'w'),
        await client.send('READWRITE'),
        await client.send('GET', 'k'),
      ];
    },
    gives: ['OK', 'v', 'OK', 'OK', 'w'],
  },
  {
    id: 'cluster-view',
    says: 'CLUSTER KEYSLOT tells the slot of a key; a client that asks for the cluster finds one node with all slots.',
    does: async ({ client }) => [
      await client.send('CLUSTER', 'KEYSLOT', 'foo'),
      ((await client.send('CLUSTER', 'SLOTS')) as string[]).slice(0, 3),
    ],
    gives: ['12182', ['0', '16383', '127.0.0.1']],
  },
];

const REFUSED: readonly Behaviour[] = [
  refused(
    'no-config-rewrite',
    'CONFIG REWRITE is refused, with the reason and what to do instead.',
    ['CONFIG', 'REWRITE'],
    /valkeeper db/,
  ),
  refused(
    'no-replicaof',
    'REPLICAOF is refused, with the reason and what to do instead.',
    ['REPLICAOF', 'NO', 'ONE'],
    /valkeeper db/,
  ),
  refused(
    'no-acl-setuser',
    'ACL SETUSER is refused: users are part of the spec.',
    ['ACL', 'SETUSER', 'eve', 'on'],
    /spec.*valkeeper db/,
  ),
  refused(
    'no-shutdown',
    'SHUTDOWN is refused, with the reason and what to do instead.',
    ['SHUTDOWN', 'NOSAVE'],
    /valkeeper db/,
  ),
  refused(
    'no-failover',
    'CLUSTER FAILOVER is refused, as is all that changes the cluster.',
    ['CLUSTER', 'FAILOVER'],
    /valkeeper db/,
  ),
  refused('no-swapdb', 'SWAPDB is refused: a cluster does not have it.', ['SWAPDB', 0, 1], /cluster/),
  refused('no-debug', 'DEBUG is refused, with the way to the node itself.', ['DEBUG', 'SLEEP', 0], /valkeeper db show/),
];

export const BEHAVIOURS: readonly Group[] = [
  { title: 'Plain commands', rows: PLAIN },
  { title: 'Bytes', rows: BYTES },
  { title: 'Many keys', rows: SPREAD },
  { title: 'Transactions', rows: TRANSACTIONS },
  { title: 'Blocking commands', rows: BLOCKING },
  { title: 'Scripts and functions', rows: SCRIPTS },
  { title: 'Publish and subscribe', rows: PUBSUB },
  { title: 'Client-side caching', rows: CACHING },
  { title: 'Numbered databases', rows: NUMBERED },
  { title: 'The whole database', rows: WHOLE },
  { title: 'The connection and its user', rows: CONNECTION },
  { title: 'The server', rows: SERVER },
  { title: 'What is refused', rows: REFUSED },
];
