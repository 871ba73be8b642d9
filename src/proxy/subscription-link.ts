/** A connection with subscriptions, their names, and what it pushes. */
import { slotOf } from './hash-slot.ts';
import type { SlotMap } from './slot-map.ts';
import type { Upstream } from './upstream.ts';

export type Kind = 'channels' | 'patterns' | 'shards';
/** Names as text of one character a byte. */
export type Names = Record<Kind, Set<string>>;

/** None of any kind. */
export const noNames = (): Names => ({ channels: new Set(), patterns: new Set(), shards: new Set() });

export class SubscriptionLink {
  readonly node: number;
  readonly upstream: Upstream;
  /** What it was told to have. */
  readonly have: Names = noNames();
  /** Commands without an answer yet. */
  pending = 0;

  constructor(node: number, upstream: Upstream) {
    this.node = node;
    this.upstream = upstream;
  }
}

/** Of a message: which subscription it came by, and which channel. */
export interface MessageHead {
  kind: Kind;
  name: string;
  channel: string;
}

/** Of a message, or of the end of a sharded channel. */
export type PushHead = MessageHead | { kind: 'ended'; name: string };

const KINDS: Readonly<Record<string, Kind>> = { message: 'channels', pmessage: 'patterns', smessage: 'shards' };

/** The beginning of a push; null when it is no message (a confirmation, say). */
export function readPush(bytes: Buffer, from: number, to: number): PushHead | null {
  const at = { offset: bytes.indexOf('\n', from) + 1 };
  const word = readBulk(bytes, at, to);
  const kind = KINDS[word];
  if (kind === undefined) {
    return word === 'sunsubscribe' ? { kind: 'ended', name: readBulk(bytes, at, to) } : null;
  }
  const name = readBulk(bytes, at, to);
  return { kind, name, channel: kind === 'patterns' ? readBulk(bytes, at, to) : name };
}

function readBulk(bytes: Buffer, at: { offset: number }, end: number): string {
  let offset = at.offset + 1; // behind the `$`
  let length = 0;
  for (; offset < end && bytes[offset]! >= 0x30 && bytes[offset]! <= 0x39; offset += 1) {
    length = length * 10 + bytes[offset]! - 0x30;
  }
  offset += 2;
  at.offset = offset + length + 2;
  return bytes.toString('latin1', offset, offset + length);
}

/** To begin and to end. */
export const COMMANDS: Readonly<Record<Kind, readonly [string, string]>> = {
  channels: ['SUBSCRIBE', 'UNSUBSCRIBE'],
  patterns: ['PSUBSCRIBE', 'PUNSUBSCRIBE'],
  shards: ['SSUBSCRIBE', 'SUNSUBSCRIBE'],
};

/** Names are kept as text of one character a byte. */
export const bytesOf = (name: string): Buffer => Buffer.from(name, 'latin1');

/** The slot of a sharded channel. */
export function slotOfName(name: string): number {
  const bytes = bytesOf(name);
  return slotOf(bytes, 0, bytes.length);
}

const EVENTS = ['__keyspace@', '__keyevent@'];
/** A channel of keyspace events. */
export const isEvent = (channel: string): boolean => EVENTS.some((prefix) => channel.startsWith(prefix));

/** Whether keyspace events may come to this name. */
function mayBeEvent(name: string, kind: Kind): boolean {
  if (kind === 'channels') return isEvent(name);
  const wildcard = name.search(/[*?[\\]/);
  if (wildcard < 0) return isEvent(name);
  const literal = name.slice(0, wildcard);
  return EVENTS.some((prefix) => prefix.startsWith(literal) || literal.startsWith(prefix));
}

/** Where names are to be subscribed to, by the node's index; -1 stands for a node that is not known. */
export function placesOf(kind: Kind, names: Iterable<string>, map: SlotMap, home: number): Map<number, string[]> {
  const places = new Map<number, string[]>();
  const put = (node: number, name: string): void => {
    const list = places.get(node);
    if (list) list.push(name);
    else places.set(node, [name]);
  };
  let primaries: number[] | null = null;
  for (const name of names) {
    put(kind === 'shards' ? map.owners[slotOfName(name)]! : home, name);
    if (kind === 'shards' || !mayBeEvent(name, kind)) continue;
    primaries ??= map.primaries();
    for (const node of primaries) if (node !== home) put(node, name);
  }
  return places;
}
