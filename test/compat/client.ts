/** The small face that four client libraries have in common for the behaviour table. */

export type Word = string | number | Buffer;
export type Command = readonly Word[];
/** A reply whose shape does not depend on protocol or library: a text, nothing, or one list of both. */
export type Value = string | null | (string | null)[];

export type ClientName = 'ioredis' | 'node-redis' | 'iovalkey' | 'GLIDE';
export type Protocol = 2 | 3;

export interface Options {
  db?: number;
  user?: string;
  password?: string;
}

export interface Address extends Options {
  host: string;
  port: number;
  resp: Protocol;
}

export type ChannelKind = 'channel' | 'pattern' | 'sharded';

export interface Subscription {
  /** `channel: message`, as they came. */
  readonly messages: readonly string[];
  /** Takes back what it has subscribed to. */
  unsubscribe(): Promise<void>;
}

/** Methods of the library's own, with its own types, for what most programs do. */
export interface Own {
  set(key: string, value: string): Promise<unknown>;
  get(key: string): Promise<string | null>;
  mset(entries: Readonly<Record<string, string>>): Promise<unknown>;
  mget(keys: string[]): Promise<(string | null)[]>;
  del(keys: string[]): Promise<number>;
  exists(keys: string[]): Promise<number>;
  incr(key: string): Promise<number>;
  expire(key: string, seconds: number): Promise<unknown>;
  ttl(key: string): Promise<number>;
  type(key: string): Promise<string>;
  hset(key: string, fields: Readonly<Record<string, string>>): Promise<unknown>;
  hgetall(key: string): Promise<Record<string, string>>;
  /** All fields, by the library's way to iterate. */
  hscan(key: string): Promise<Record<string, string>>;
  rpush(key: string, values: string[]): Promise<unknown>;
  lrange(key: string): Promise<string[]>;
  sadd(key: string, members: string[]): Promise<unknown>;
  smembers(key: string): Promise<string[]>;
  zadd(key: string, scores: Readonly<Record<string, number>>): Promise<unknown>;
  zrange(key: string): Promise<[string, number][]>;
  xadd(key: string, fields: Readonly<Record<string, string>>): Promise<string>;
  /** Fields of each entry. */
  xrange(key: string): Promise<Record<string, string>[]>;
  blpop(key: string, seconds: number): Promise<string | null>;
  /** By the library's way to keep scripts on the server. */
  script(source: string, keys: string[], args: string[]): Promise<unknown>;
  /** All keys, by the library's way to iterate. */
  scan(options: { match?: string; count?: number; type?: string }): Promise<string[]>;
  info(): Promise<string>;
  configGet(name: string): Promise<string | undefined>;
  dbsize(): Promise<number>;
  publish(channel: string, message: string): Promise<number>;
}

/** A client that keeps what it reads, and is told when that is no longer true. */
export interface CachingClient {
  get(key: string): Promise<string | null>;
  /** Reads that did not ask the server. */
  hits(): number;
  close(): void;
}

export interface CompatClient {
  readonly name: ClientName;
  readonly resp: Protocol;
  readonly own: Own;
  /** Any command, word by word. @throws the error of the server */
  send(...command: Command): Promise<Value>;
  /** The same with a reply of bytes. */
  sendForBytes(...command: Command): Promise<Buffer | null>;
  /** Sent together; an error is in its place, as `error: ...`. */
  pipeline(commands: readonly Command[]): Promise<Value[]>;
  /** MULTI, the commands, EXEC. Null when a watched key was changed. @throws what EXEC refuses */
  transaction(commands: readonly Command[]): Promise<Value[] | null>;
  watch(...keys: string[]): Promise<void>;
  subscribe(kind: ChannelKind, channels: string[]): Promise<Subscription>;
  close(): void;
}

export interface Library {
  name: ClientName;
  speaks: readonly Protocol[];
  open(address: Address): Promise<CompatClient>;
  /** What reads through a cache of the library, or one beside it. Only in RESP3. */
  openCaching(address: Address): Promise<CachingClient>;
}

/** Brings the reply of any library in any protocol into one form: maps become their keys and values in turn. */
export function flat(reply: unknown): Value {
  if (reply === null || reply === undefined) return null;
  if (Buffer.isBuffer(reply)) return reply.toString();
  if (typeof reply === 'boolean') return reply ? '1' : '0';
  if (reply instanceof Error) return `error: ${reply.message}`;
  if (typeof reply !== 'object') return String(reply);
  return itemsOf(reply).flatMap((item) => flat(item));
}

function itemsOf(reply: object): unknown[] {
  if (Array.isArray(reply) || reply instanceof Set) return [...reply];
  if (reply instanceof Map) return [...reply].flat();
  // GLIDE's form of an entry of a map.
  if ('key' in reply && 'value' in reply) return [reply.key, reply.value];
  return Object.entries(reply).flat();
}

/** What came, or how it failed. */
export const outcome = (reply: Promise<unknown>): Promise<Value> =>
  reply.then(flat, (error: Error) => `error: ${error.message}`);

/** All that an iteration yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}
