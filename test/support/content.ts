/** Everything that a database holds, in a form that can be compared: by database number and key, whatever its encoding. */
import type { Cluster, Redis } from 'ioredis';

/** As many at a time. */
const PAGE = 500;

/** By `DB KEY` (the key in base64): type, time of expiry, and what is in it. */
export type Content = Map<string, string>;

/** Of some nodes, each asked for all that it has. @param numbers of the databases to look into */
export async function contentOf(nodes: readonly Redis[], numbers: readonly number[]): Promise<Content> {
  const content: Content = new Map();
  for (const node of nodes) {
    for (const number of numbers) {
      await node.select(number);
      let cursor = '0';
      do {
        const [next, keys] = await node.scanBuffer(cursor, 'COUNT', PAGE);
        cursor = next.toString();
        for (const key of keys) content.set(`${number} ${key.toString('base64')}`, await readingOf(node, key));
      } while (cursor !== '0');
    }
    await node.select(0);
  }
  return content;
}

/** The primaries that a cluster client knows. */
export const primariesOf = (cluster: Cluster): Redis[] => cluster.nodes('master');

async function readingOf(node: Redis, key: Buffer): Promise<string> {
  const [type, expires] = await Promise.all([node.type(key), node.pexpiretime(key)]);
  return JSON.stringify([type, expires, await READERS[type]!(node, key)]);
}

const text = (value: unknown): unknown => {
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(text);
  return value;
};

const sorted = (values: readonly string[]): string[] => [...values].sort();

const pairs = (flat: readonly Buffer[]): string[] =>
  Array.from({ length: flat.length / 2 }, (_, index) =>
    flat
      .slice(2 * index, 2 * index + 2)
      .map(text)
      .join(' '),
  );

const READERS: Record<string, (node: Redis, key: Buffer) => Promise<unknown>> = {
  string: async (node, key) => text(await node.getBuffer(key)),
  list: async (node, key) => text(await node.lrangeBuffer(key, 0, -1)),
  set: async (node, key) => sorted((await node.smembersBuffer(key)).map((member) => String(text(member)))),
  zset: async (node, key) => pairs(await node.zrangeBuffer(key, '0', '-1', 'WITHSCORES')),
  hash: async (node, key) => {
    const fields = await node.hkeysBuffer(key);
    const values = await node.hmgetBuffer(key, ...fields);
    const times = (await node.call('HPEXPIRETIME', key, 'FIELDS', String(fields.length), ...fields)) as unknown[];
    return sorted(fields.map((field, index) => JSON.stringify([text(field), text(values[index]), times[index]])));
  },
  stream: async (node, key) => {
    const whole = (await node.callBuffer('XINFO', 'STREAM', key, 'FULL', 'COUNT', '0')) as unknown[];
    return text(withoutTimes(whole));
  },
};

/** When a consumer was seen, and how the stream lies in memory, are not what it holds. */
const NOT_CONTENT = new Set(['seen-time', 'active-time', 'radix-tree-keys', 'radix-tree-nodes']);

function withoutTimes(value: unknown): unknown {
  if (!Array.isArray(value)) return value;
  const isFields = value.length % 2 === 0 && value.every((one, index) => index % 2 === 1 || Buffer.isBuffer(one));
  if (!isFields) return value.map(withoutTimes);
  return value.flatMap((one, index) => {
    if (index % 2 === 1) return [];
    return NOT_CONTENT.has(String(one)) ? [] : [one, withoutTimes(value[index + 1])];
  });
}

/** Keys that are not the same in both, and how; at most so many. */
export function differences(one: Content, other: Content, most = 5): string[] {
  const keys = new Set([...one.keys(), ...other.keys()]);
  const found: string[] = [];
  for (const key of keys) {
    if (one.get(key) === other.get(key)) continue;
    found.push(`${key}: ${difference(one.get(key) ?? 'missing', other.get(key) ?? 'missing')}`);
    if (found.length === most) break;
  }
  return found;
}

const SHOWN = 120;

/** Where they part, with what stands before. */
function difference(one: string, other: string): string {
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const [from, to] = [Math.max(0, at - SHOWN), at + SHOWN];
  return `${one.slice(from, to)} and ${other.slice(from, to)}`;
}
