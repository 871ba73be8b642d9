/** One command made of several: its parts go to several nodes, and one reply is made of theirs. */
import { type CommandArgument, encodeCommand } from '../resp/encode.ts';
import { encodeReply } from '../resp/encode-reply.ts';
import { type Reply, ReplyError } from '../resp/reply.ts';
import type { Client } from './client.ts';
import { decodeReply, SENSELESS } from './decoded-reply.ts';
import { type Entry, type Loss, READS_ONLY, type ReplyTaker, takeEntry } from './entry.ts';
import type { Home } from './home.ts';
import type { Lane } from './lane.ts';
import { askOn } from './own-connection.ts';
import { cachingFlag, finish, OUTCOME_UNKNOWN } from './sender.ts';

const MINUS = 0x2d;

/** Makes one reply of the replies of all parts, whose bytes are in the order of the parts. */
export type Combine = (replies: Buffer[]) => Buffer;

export class Gather implements ReplyTaker {
  readonly #client: Client;
  readonly #parent: Entry;
  readonly #combine: Combine;
  readonly #replies: Buffer[] = [];
  #missing = 0;
  /** Bytes of the replies that are there. */
  #gathered = 0;
  #isSealed = false;

  /** Takes its place in the order of the client's replies. */
  constructor(client: Client, combine: Combine) {
    this.#client = client;
    this.#parent = client.enqueue();
    this.#combine = combine;
  }

  /** Sends a part to the owner of the slot. */
  send(
    slot: number,
    readsOnly: boolean,
    bytes: Buffer,
    from: number,
    to: number,
    lane: Lane = this.#client.lane,
  ): void {
    const entry = takeEntry();
    entry.taker = this;
    entry.holder = this.#client;
    entry.slot = slot;
    entry.part = this.#replies.length;
    if (readsOnly) entry.flags = this.#client.readFlags;
    entry.flags |= cachingFlag(this.#client.session.caching);
    this.#replies.push(EMPTY);
    this.#missing += 1;
    this.#client.inFlight += 1;
    this.#client.adds(this.#parent, to - from);
    this.#client.home.sender.send(entry, lane, bytes, from, to);
  }

  /** All parts were sent. */
  seal(): void {
    this.#isSealed = true;
    this.#finishIfWhole();
  }

  takesParts(_: Entry, gathered: number): boolean {
    this.#client.gathers(this.#parent, this.#gathered + gathered);
    return this.#client.isClosed;
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (!isLast) return; // nobody waits for it any more
    if (bytes[from] === MINUS && this.#client.home.sender.again(entry, bytes, from, to)) return;
    this.#answered(entry, Buffer.from(bytes.subarray(from, to)));
  }

  takeLoss(entry: Entry, loss: Loss): void {
    if (!this.#client.home.sender.lost(entry, loss)) this.#answered(entry, OUTCOME_UNKNOWN);
  }

  #answered(entry: Entry, reply: Buffer): void {
    this.#gathered += reply.length;
    this.#client.gathers(this.#parent, this.#gathered);
    this.#parent.hasPart = true;
    if (!this.#client.isClosed) this.#replies[entry.part] = reply;
    this.#missing -= 1;
    this.#client.inFlight -= 1;
    finish(entry);
    this.#finishIfWhole();
  }

  #finishIfWhole(): void {
    if (this.#missing > 0 || !this.#isSealed) return;
    this.#isSealed = false;
    this.#client.complete(this.#parent, this.#combined());
  }

  #combined(): Buffer {
    if (this.#client.isClosed) return EMPTY;
    try {
      return this.#combine(this.#replies);
    } catch {
      return SENSELESS; // no answer of an engine
    }
  }
}

const EMPTY = Buffer.alloc(0);

/** The first error among replies; undefined without one. */
export const firstError = (replies: readonly Buffer[]): Buffer | undefined =>
  replies.find((reply) => reply[0] === MINUS);

/** An error of any part, or what the replies make together. */
export const unlessError =
  (combine: Combine): Combine =>
  (replies) =>
    firstError(replies) ?? combine(replies);

/** Names and values, in RESP2's form or RESP3's. */
export function pairsOf(reply: Reply): Map<string, Reply> {
  if (reply instanceof Map) return new Map([...reply].map(([name, value]) => [String(name), value]));
  const items = reply as Reply[];
  return new Map(items.flatMap((name, at) => (at % 2 === 0 ? [[String(name), items[at + 1]!]] : [])));
}

/** The integer of `:n`. */
const integerIn = (reply: Buffer): number => Number(reply.toString('latin1', 1, reply.length - 2));

/** `:n` for the sum of the integers of all parts. */
export const sumOf: Combine = unlessError((replies) =>
  Buffer.from(`:${replies.reduce((sum, reply) => sum + integerIn(reply), 0)}\r\n`),
);

/** The first reply for all. */
export const anyOf: Combine = unlessError((replies) => replies[0]!);

/** The elements of all arrays (or sets), in one. */
export const listOf: Combine = unlessError((replies) => {
  const type = String.fromCharCode(replies[0]![0]!);
  let count = 0;
  const bodies = replies.map((reply) => {
    const line = reply.indexOf('\r\n');
    count += Number(reply.toString('latin1', 1, line));
    return reply.subarray(line + 2);
  });
  return Buffer.concat([Buffer.from(`${type}${count}\r\n`), ...bodies]);
});

/** Sends the same command to every primary. */
export function toAllPrimaries(client: Client, readsOnly: boolean, frame: Buffer, combine: Combine, lane?: Lane): void {
  const gather = new Gather(client, combine);
  for (const slot of slotsOfPrimaries(client)) {
    gather.send(slot, readsOnly, frame, 0, frame.length, lane ?? laneWithoutNew(client, slot));
  }
  gather.seal();
}

/**
 * A client with connections of its own (CLIENT TRACKING) gets no more of them by a command that reads no key: where it has
 * none, the command goes over the shared one.
 */
function laneWithoutNew({ lane, home }: Client, slot: number): Lane {
  if (lane.isShared || [...lane.open()].some(([node]) => node === home.map.owners[slot])) return lane;
  const shared = home.joinLane(lane.identity);
  home.leaveLane(shared); // it is kept for a while
  return shared;
}

/** A slot of each primary: a way to name the primary that stays true when it is replaced. Slot 0 alone while none is known. */
export function slotsOfPrimaries(client: Client): number[] {
  const { map } = client.home;
  const slots = map.primaries().map((node) => map.owners.indexOf(node));
  return slots.length > 0 ? slots : [0];
}

/**
 * Asks the owner of a slot on behalf of the client, and waits; the client is not held. Error replies are values. A node
 * that is lost is asked again, unless what was asked must not be done twice (`once`).
 */
export function ask(
  client: Client,
  slot: number,
  args: readonly CommandArgument[],
  lane: Lane = client.lane,
  { once = false } = {},
): Promise<Reply> {
  return new Promise((resolve) => {
    const { sender } = client.home;
    const entry = takeEntry();
    entry.slot = slot;
    if (!once) entry.flags = READS_ONLY | client.besideFlag;
    entry.taker = {
      takesParts: () => false,
      takeReply: (one, bytes, from, to) => {
        if (bytes[from] === MINUS && sender.again(one, bytes, from, to)) return;
        const reply = decodeReply(Buffer.from(bytes.subarray(from, to)));
        finish(one);
        resolve(reply);
      },
      takeLoss: (one, loss) => {
        if (sender.lost(one, loss)) return;
        finish(one);
        resolve(new ReplyError(OUTCOME_UNKNOWN.toString('latin1', 1, OUTCOME_UNKNOWN.length - 2)));
      },
    };
    const frame = encodeCommand(args);
    sender.send(entry, lane, frame, 0, frame.length);
  });
}

/** Asks one node, a primary or not, on behalf of the endpoint itself; it is not asked again when it is lost. */
export async function askNode(home: Home, node: number, args: readonly CommandArgument[]): Promise<Reply> {
  const isPrimary = home.map.nodes[node]!.primary < 0;
  const upstream = isPrimary ? home.adminLane.toPrimary(node) : home.adminLane.toReplica(node);
  const reply = upstream && (await askOn(upstream, args));
  return reply ?? new ReplyError('ERR the node could not be reached, or was lost before it answered');
}

/**
 * Work of several rounds for one command: its place in the order of replies is kept, and the client takes no other
 * command until it is over.
 */
export function work(client: Client, task: () => Promise<Buffer>): void {
  const entry = client.enqueue();
  client.hold();
  task()
    .catch((error: unknown) => encodeReply(new ReplyError(`ERR ${(error as Error).message}`), 2))
    .then((reply) => {
      client.complete(entry, reply);
      client.release();
    });
}
