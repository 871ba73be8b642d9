/**
 * CONFIG GET, as of one primary but for what is the endpoint's own; CONFIG SET of what an app may choose, on every node.
 * What the spec of the database says is changed there, and not behind its back.
 */
import { encodeReply, Status } from '../../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../../resp/reply.ts';
import type { Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { ask, askNode, pairsOf, slotsOfPrimaries, work } from '../gather.ts';
import { refusalFor } from '../permission.ts';
import { partsOfAddress } from '../session.ts';
import { DATABASES } from './connection.ts';

/** Beginnings of the parameters that may be set: what concerns how data is kept and what is told of it. */
const MAY_BEGIN = [
  ...['hash-max-', 'list-max-', 'list-compress-depth', 'set-max-', 'zset-max-', 'stream-node-max-'],
  ...['hll-sparse-max-bytes', 'slowlog-', 'commandlog-', 'latency-', 'notify-keyspace-events', 'lazyfree-'],
  ...['lfu-', 'active-expire-', 'maxmemory-samples', 'tracking-table-max-', 'lua-time-limit'],
  ...['busy-reply-threshold', 'activerehashing', 'activedefrag', 'active-defrag-', 'proto-max-bulk-len', 'hz'],
  ...['acllog-max-len', 'min-string-size-avoid-copy-reply', 'jemalloc-bg-thread', 'dynamic-hz'],
  ...['sanitize-dump-payload', 'rdb-version-check', 'import-mode'],
];
/** What the engine takes at its start only. */
const NEVER_SET = new Set([
  ...['daemonize', 'databases', 'pidfile', 'logfile', 'supervised', 'aclfile', 'unixsocket', 'io-threads-do-reads'],
  ...['cluster-enabled', 'cluster-databases', 'appendfilename', 'appenddirname', 'always-show-logo', 'set-proc-title'],
  ...['syslog-enabled', 'syslog-ident', 'tcp-backlog', 'hash-seed'],
]);
/** A limit of the whole database: each shard has its part. */
const SHARED = new Set(['tracking-table-max-keys']);
/** Of Valkeeper and the nodes: not for those who use the database. */
const SECRETS = new Set([
  ...['primaryauth', 'masterauth', 'requirepass', 'tls-key-file-pass', 'tls-client-key-file-pass'],
]);

const maySet = (name: string): boolean => MAY_BEGIN.some((beginning) => name.startsWith(beginning));

const get: Handler = (call) => {
  const args = call.args();
  const { client, session } = call;
  work(client, async () => encodeReply(await told(client, args), session.resp));
};

async function told(client: Client, args: readonly Buffer[]): Promise<Reply> {
  const refusal = await refusalOf(client, 'get');
  if (refusal) return refusal;
  const { adminLane } = client.home;
  const replies = await Promise.all(slotsOfPrimaries(client).map((slot) => ask(client, slot, args, adminLane)));
  const error = replies.find((reply) => reply instanceof ReplyError);
  if (error !== undefined) return error;
  const [pairs, ...others] = replies.map(pairsOf) as [Map<string, Reply>, ...Map<string, Reply>[]];
  const own = ownParameters(client);
  for (const [name, value] of pairs) pairs.set(name, shown(own, name, value));
  for (const name of SHARED) {
    const parts = [pairs, ...others].map((one) => Number(String(one.get(name))));
    if (pairs.has(name)) pairs.set(name, String(parts.reduce((sum, part) => sum + part, 0)));
  }
  return pairs;
}

/** Nodes let nobody but Valkeeper ask and set parameters: through the endpoint, who may do a lesser thing to them may. */
async function refusalOf(client: Client, what: 'get' | 'set'): Promise<ReplyError | null> {
  const refusal = await refusalFor(client, 'CONFIG', 'RESETSTAT');
  return refusal && new ReplyError(refusal.message.replace('config|resetstat', `config|${what}`));
}

/** What a client is told of a parameter. */
function shown(own: ReadonlyMap<string, string>, name: string, value: Reply): Reply {
  return SECRETS.has(name) ? '' : (own.get(name) ?? value);
}

/** Where the client found the endpoint. */
const addressOf = ({ session }: Pick<Client, 'session'>): string => partsOfAddress(session.localAddress)[0];

function ownParameters({ home, session }: Pick<Client, 'home' | 'session'>): Map<string, string> {
  return new Map([
    ['port', String(home.database.port)],
    ['bind', addressOf({ session })],
    ['cluster-enabled', 'no'],
    ['maxclients', String(home.limits.clients)],
    ['databases', String(DATABASES)],
  ]);
}

const set: Handler = (call) => {
  if (call.argc % 2 !== 0) return call.error('ERR syntax error');
  const args = call.args(2);
  const { client, session } = call;
  work(client, async () => encodeReply(await setEverywhere(client, args), session.resp));
};

async function setEverywhere(client: Client, args: readonly Buffer[]): Promise<Reply | Status> {
  const refusal = await refusalOf(client, 'set');
  if (refusal) return refusal;
  const wanted: Buffer[] = [];
  const names = args.flatMap((name, at) => (at % 2 === 0 ? [String(name).toLowerCase()] : []));
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) return failed(twice, 'duplicate parameter');
  for (let at = 0; at < args.length; at += 2) {
    const error = maySet(String(args[at]).toLowerCase()) ? null : await whyNot(client, args[at]!, args[at + 1]!);
    if (error instanceof ReplyError) return error;
    if (error === null) wanted.push(args[at]!, args[at + 1]!);
  }
  const shards = client.home.map.primaries().length;
  const few = wanted.find((name, at) => at % 2 === 0 && isTooFew(name, wanted[at + 1]!, shards));
  if (few !== undefined)
    return failed(String(few), `each of the ${shards} shards needs at least 1 of it, or 0 for no limit`);
  return wanted.length === 0 ? new Status('OK') : apply(client, wanted);
}

function isTooFew(name: Buffer, value: Buffer, shards: number): boolean {
  const count = Number(String(value));
  return SHARED.has(String(name).toLowerCase()) && count > 0 && count < shards;
}

/** The parameters as the shard of this rank gets them. */
function partOf(pairs: readonly Buffer[], rank: number, shards: number): Buffer[] {
  return pairs.map((value, at) => {
    if (at % 2 === 0 || !SHARED.has(String(pairs[at - 1]).toLowerCase()) || !/^\d+$/.test(String(value))) return value;
    const count = Number(String(value));
    return Buffer.from(String(Math.floor(count / shards) + (rank < count % shards ? 1 : 0)));
  });
}

/** Why a parameter is not set; `same` when it has that value anyway. */
async function whyNot(client: Client, name: Buffer, value: Buffer): Promise<ReplyError | 'same'> {
  const text = String(name);
  const unknown = new ReplyError(`ERR Unknown option or number of arguments for CONFIG SET - '${text}'`);
  if (/[*?[\]\\]/.test(text)) return unknown;
  const reply = await ask(client, 0, ['CONFIG', 'GET', name], client.home.adminLane);
  if (reply instanceof ReplyError) return reply;
  const present = pairsOf(reply).get(text.toLowerCase());
  if (present === undefined) return unknown;
  const given = String(value);
  if (String(shown(ownParameters(client), text.toLowerCase(), present)) === given) return 'same';
  // Where it listens is the machine's: this address stays, others are not added.
  if (text.toLowerCase() === 'bind' && given.split(' ').includes(addressOf(client))) return 'same';
  if (NEVER_SET.has(text.toLowerCase())) return failed(text, "can't set immutable config");
  return failed(
    text,
    'it is not set through the endpoint: what the spec says of the database is changed with valkeeper db update',
  );
}

const failed = (name: string, why: string): ReplyError =>
  new ReplyError(`ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`);

/** First on one primary, which says what is wrong with it; then on all nodes. */
async function apply(client: Client, pairs: readonly Buffer[]): Promise<Reply | Status> {
  const { home } = client;
  const { map } = home;
  const first = map.owners[0]!;
  const primaries = [first, ...map.primaries().filter((node) => node !== first)];
  const commandOf = (rank: number) => ['CONFIG', 'SET', ...partOf(pairs, rank, primaries.length)];
  const answer = await ask(client, 0, commandOf(0), home.adminLane);
  if (answer instanceof ReplyError) return answer;
  // A replica that cannot be reached has started anew when it is back, and then has what nodes start with.
  const replies = await Promise.all(
    primaries.map(async (node, rank) => {
      const replicas = map.replicasOf(node).map(({ index }) => askNode(home, index, commandOf(rank)));
      const [reply] = await Promise.all([rank === 0 ? answer : askNode(home, node, commandOf(rank)), ...replicas]);
      return reply!;
    }),
  );
  return replies.find((reply) => reply instanceof ReplyError) ?? new Status('OK');
}

export const CONFIG_HANDLERS: Readonly<Record<string, Handler>> = { 'config|get': get, 'config|set': set };
