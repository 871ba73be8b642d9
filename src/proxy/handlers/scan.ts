/**
 * SCAN, CLUSTERSCAN, RANDOMKEY. SCAN goes through the slots in their order, with CLUSTERSCAN at the owner of each: a node
 * answers it only for slots that it owns, as far as they follow each other. So a key that is there all the time is found,
 * wherever its slot is when it is its turn.
 */
import type { CommandArgument } from '../../resp/encode.ts';
import { encodeReply } from '../../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../../resp/reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, slotsOfPrimaries, work } from '../gather.ts';
import type { Home } from '../home.ts';
import type { Lane } from '../lane.ts';
import { routeByKeys } from '../routing.ts';
import { cursorOf, nodeCursor, parseCursor, parseNodeCursor, type ScanPlace, startOfSlot } from '../scan-cursor.ts';
import { slotOfPattern } from './everywhere.ts';

/** Runs of slots that one SCAN goes through at the most when it finds nothing in them, and how long. */
const MAX_HOPS = 512;
const MAX_MS = 100;
const TYPES = new Set(['string', 'list', 'set', 'zset', 'hash', 'stream']);
const DEFAULT_COUNT = 10;
const LONGEST = 2n ** 63n;

interface ScanOptions {
  count: number;
  /** As they are passed on. */
  filters: Buffer[];
  /** All that can match lies in it; -1: anywhere. */
  slot: number;
}

/** The options, or the engine's error. */
function scanOptions(call: Call): ScanOptions | string {
  const options: ScanOptions = { count: DEFAULT_COUNT, filters: [], slot: -1 };
  const filters: { MATCH?: Buffer; TYPE?: Buffer } = {};
  const args = call.args();
  for (let index = 2; index < args.length; index += 2) {
    const word = args[index]!.toString().toUpperCase();
    const value = args[index + 1];
    if (value === undefined || !['COUNT', 'MATCH', 'TYPE'].includes(word)) return 'ERR syntax error';
    const text = value.toString();
    if (word === 'COUNT') {
      if (!/^(0|-?[1-9]\d{0,18})$/.test(text) || BigInt(text) >= LONGEST || BigInt(text) < -LONGEST) {
        return 'ERR value is not an integer or out of range';
      }
      if (BigInt(text) < 1n) return 'ERR syntax error';
      options.count = Math.min(Number(text), Number.MAX_SAFE_INTEGER);
    } else if (word === 'MATCH') filters.MATCH = value;
    else if (TYPES.has(text.toLowerCase())) filters.TYPE = value;
    else return `ERR unknown type name '${text.replace(/[\r\n]/g, ' ')}'`;
  }
  for (const [word, value] of Object.entries(filters)) options.filters.push(Buffer.from(word), value);
  if (filters.MATCH) options.slot = slotOfPattern(filters.MATCH);
  return options;
}

const scan: Handler = (call) => {
  const { client, session } = call;
  const from = parseCursor(call.text(1));
  if (from === null) return call.error('ERR invalid cursor');
  const options = scanOptions(call);
  if (typeof options === 'string') return call.error(options);
  const end = encodeReply(['0', []], session.resp);
  const place = options.slot >= 0 && from.slot < options.slot ? startOfSlot(options.slot) : from;
  if (options.slot >= 0 && place.slot > options.slot) return client.reply(end);
  work(client, async () => {
    const found = await scanFrom(client, place, options);
    return encodeReply(found instanceof ReplyError ? found : [found.cursor, found.keys], session.resp);
  });
};

/** Goes on from run to run of slots until there are keys enough, and no further than one node has looked at its share. */
async function scanFrom(
  client: Client,
  from: ScanPlace,
  { count, filters }: ScanOptions,
): Promise<{ cursor: string; keys: Reply[] } | ReplyError> {
  const prints = printsOf(client.home);
  const keys: Reply[] = [];
  const deadline = performance.now() + MAX_MS;
  let lane = client.lane;
  let place = from;
  let borrowed: Lane | null = null;
  try {
    for (let hop = 0; hop < MAX_HOPS && !client.isClosed; hop += 1) {
      if (place.short !== 0 && !prints.has(place.short)) await learnPrint(client, lane, place.slot);
      const cursor = nodeCursor(place, prints.get(place.short));
      const reply = await ask(client, place.slot, clusterScan(cursor, count - keys.length, filters), lane);
      if (reply instanceof ReplyError) {
        if (reply.code !== 'NOPERM' || borrowed !== null) return reply;
        borrowed = await laneForScan(client);
        if (borrowed === null) return new ReplyError(reply.message.replace("'clusterscan'", "'scan'"));
        lane = borrowed;
        continue;
      }
      const [next, more] = reply as [Buffer, Reply[]];
      for (const key of more) keys.push(key);
      const after = parseNodeCursor(next);
      if (after === null) return { cursor: '0', keys };
      place = after;
      if (after.short !== 0) prints.set(after.short, after.print);
      if (after.short !== 0 || keys.length >= count || performance.now() > deadline) break;
    }
    return { cursor: cursorOf(place), keys };
  } finally {
    if (borrowed !== null) client.home.leaveLane(borrowed);
  }
}

const clusterScan = (cursor: string, count: number, filters: readonly Buffer[]): CommandArgument[] => [
  ...['CLUSTERSCAN', cursor, 'COUNT', String(count)],
  ...filters,
];

/** Names of hash functions by what cursors keep of them. */
const PRINTS = new WeakMap<Home, Map<number, string>>();

function printsOf(home: Home): Map<number, string> {
  let prints = PRINTS.get(home);
  if (!prints) {
    prints = new Map();
    PRINTS.set(home, prints);
  }
  return prints;
}

/** Asks the owner of a slot for the name of its hash function: the cursor comes from another endpoint. */
async function learnPrint(client: Client, lane: Lane, slot: number): Promise<void> {
  const reply = await ask(client, slot, clusterScan(nodeCursor(startOfSlot(slot), undefined), 1, []), lane);
  if (!Array.isArray(reply)) return;
  const after = parseNodeCursor(reply[0] as Buffer);
  if (after !== null && after.short !== 0) printsOf(client.home).set(after.short, after.print);
}

/** Users who may SCAN but not CLUSTERSCAN: as Valkeeper's own user, when the engine says that they may. */
async function laneForScan(client: Client): Promise<Lane | null> {
  const { home, session } = client;
  const allowed = await ask(client, -1, ['ACL', 'DRYRUN', session.user, 'SCAN', '0'], home.adminLane);
  return String(allowed) === 'OK' ? joinAdminLane(client) : null;
}

/** As Valkeeper's own user, in the database that the client is in. To be left when done: a lane that nobody is in may close. */
const joinAdminLane = ({ home, session }: Client): Lane =>
  home.joinLane({ ...home.adminLane.identity, db: session.db });

/** From a primary chosen by chance, by how many keys each has; null only when none has any. */
const randomkey: Handler = (call) => {
  const { client, session } = call;
  const slots = slotsOfPrimaries(client);
  if (slots.length === 1) return call.forward(slots[0]!);
  work(client, async () => {
    const lane = joinAdminLane(client);
    const sizes = await Promise.all(slots.map((slot) => ask(client, slot, ['DBSIZE'], lane)));
    client.home.leaveLane(lane);
    const shards = slots.map((slot, index) => ({ slot, size: Number(sizes[index]) || 0 }));
    let error: ReplyError | null = null;
    while (shards.length > 0) {
      const [shard] = shards.splice(chooseByWeight(shards.map(({ size }) => size)), 1);
      const key = await ask(client, shard!.slot, ['RANDOMKEY']);
      if (key instanceof ReplyError) error ??= key;
      else if (key !== null) return encodeReply(key, session.resp);
    }
    return encodeReply(error, session.resp);
  });
};

/** An index, each as likely as its weight; any one when all weigh nothing. */
function chooseByWeight(weights: readonly number[]): number {
  let left = Math.random() * weights.reduce((sum, weight) => sum + weight, 0);
  for (const [index, weight] of weights.entries()) {
    left -= weight;
    if (left < 0) return index;
  }
  return 0;
}

export const SCAN_HANDLERS: Readonly<Record<string, Handler>> = { scan, clusterscan: routeByKeys, randomkey };
