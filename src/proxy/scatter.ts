/**
 * A command over keys in many slots, the fast way: a part for each key, all parts for one node written as one run and
 * queued as one entry, the replies copied one behind the other and written in the order of the keys. No object a key.
 *
 *     MGET a b c d  ->  node 1: MGET a, MGET c    node 2: MGET b, MGET d
 *     order:            a c b d                   (positions: keys by node)
 *
 * A part that must be repeated elsewhere gets an entry of its own.
 */
import { type Block, copyInto, releaseBlock, takeBlock } from './block.ts';
import type { Call } from './call.ts';
import type { Client } from './client.ts';
import { type Entry, type Loss, READS_ONLY, type ReplyTaker, takeEntry } from './entry.ts';
import { slotOf } from './hash-slot.ts';
import { finish, OUTCOME_UNKNOWN } from './sender.ts';
import type { Upstream } from './upstream.ts';

const MINUS = 0x2d;
const NOBODY_SENT = -1;
/** More keys than this take the general way. */
const MOST_KEYS = 1_024;

/** What is made of the replies: an array of the values, the sum, or the first. */
export type Merge = 'values' | 'sum' | 'first';

/** By slot: the number of the command that last had a key in it. */
const seen = new Int32Array(16_384);
let commands = 0;

const free: Scatter[] = [];
const KEPT = 64;

/** The parts for one connection, while they are being written. */
class PartRun {
  upstream: Upstream | null = null;
  block: Block | null = null;
  keys = 0;
  bytes = 0;
  /** Where the next part is written, and its position. */
  at = 0;
  position = 0;
}

export class Scatter implements ReplyTaker {
  #client: Client | null = null;
  #parent: Entry | null = null;
  #merge: Merge = 'values';
  #flags = 0;
  #count = 0;
  #missing = 0;
  #sum = 0;
  #error: Buffer | null = null;
  readonly #slots = new Int32Array(MOST_KEYS);
  /** By key: the number of its run. */
  readonly #wayOfKey = new Int32Array(MOST_KEYS);
  /** One for each connection; so many of them are in use. */
  readonly #runs: PartRun[] = [];
  #ways = 0;
  /** Position to key. */
  readonly #order = new Int32Array(MOST_KEYS);
  /** By position: where its command lies in the entry's block. */
  readonly #starts = new Int32Array(MOST_KEYS);
  readonly #ends = new Int32Array(MOST_KEYS);
  /** By key: from and to, of its reply in `#replies`. */
  readonly #pieces = new Int32Array(2 * MOST_KEYS);
  #replies: Block | null = null;

  /**
   * Sends the parts of a command whose keys each take `step` arguments.
   * @returns false when the general way must be taken: keys that share a slot, or a node that cannot be reached now,
   * or CLIENT CACHING, which goes before each part
   */
  static send(call: Call, step: number, prefix: Buffer, merge: Merge): boolean {
    const count = (call.argc - 1) / step;
    if (count > MOST_KEYS || call.session.readsReplicas || call.session.caching !== null) return false;
    const scatter = free.pop() ?? new Scatter();
    scatter.#flags = call.command.readsOnly ? READS_ONLY | call.client.besideFlag : 0;
    if (!scatter.#plan(call, step, count, prefix.length)) {
      scatter.#forgetWays();
      free.push(scatter);
      return false;
    }
    scatter.#begin(call, step, prefix, merge, count);
    return true;
  }

  /** Finds slots and connections, and how much goes where. */
  #plan(call: Call, step: number, count: number, prefixBytes: number): boolean {
    const { bytes, home, client } = call;
    commands += 1;
    for (let key = 0; key < count; key += 1) {
      const start = call.startOf(1 + key * step);
      const slot = slotOf(bytes, start, start + call.lengthOf(1 + key * step));
      if (seen[slot] === commands) return false;
      seen[slot] = commands;
      const upstream = home.sender.wayTo(slot, client.lane, this.#flags);
      if (upstream === null) return false;
      const way = this.#numberOf(upstream);
      this.#slots[key] = slot;
      this.#wayOfKey[key] = way;
      const run = this.#runs[way]!;
      run.keys += 1;
      run.bytes += prefixBytes + endOf(call, key, step) - call.headerOf(1 + key * step);
    }
    return true;
  }

  /** The number of the run for this connection. */
  #numberOf(upstream: Upstream): number {
    for (let way = 0; way < this.#ways; way += 1) if (this.#runs[way]!.upstream === upstream) return way;
    this.#runs[this.#ways] ??= new PartRun();
    const run = this.#runs[this.#ways]!;
    run.upstream = upstream;
    run.keys = 0;
    run.bytes = 0;
    this.#ways += 1;
    return this.#ways - 1;
  }

  #forgetWays(): void {
    for (let way = 0; way < this.#ways; way += 1) this.#runs[way]!.upstream = null;
    this.#ways = 0;
  }

  #begin(call: Call, step: number, prefix: Buffer, merge: Merge, count: number): void {
    this.#client = call.client;
    this.#parent = call.client.enqueue();
    this.#merge = merge;
    this.#count = count;
    this.#missing = count;
    this.#sum = 0;
    let position = 0;
    for (let way = 0; way < this.#ways; way += 1) {
      const run = this.#runs[way]!;
      run.block = run.upstream!.reserve(run.bytes);
      run.at = run.block.used;
      run.position = position;
      position += run.keys;
    }
    for (let key = 0; key < count; key += 1) this.#writePart(call, key, step, prefix);
    for (let way = 0; way < this.#ways; way += 1) this.#sendRun(this.#runs[way]!, call.client);
    this.#forgetWays();
  }

  #writePart(call: Call, key: number, step: number, prefix: Buffer): void {
    const run = this.#runs[this.#wayOfKey[key]!]!;
    const { position } = run;
    const block = run.block!;
    this.#order[position] = key;
    this.#starts[position] = run.at;
    const { bytes } = block;
    let { at } = run;
    for (let index = 0; index < prefix.length; index += 1, at += 1) bytes[at] = prefix[index]!;
    run.at = copyInto(block, at, call.bytes, call.headerOf(1 + key * step), endOf(call, key, step));
    this.#ends[position] = run.at;
    run.position = position + 1;
  }

  #sendRun(run: PartRun, client: Client): void {
    const entry = takeEntry();
    entry.taker = this;
    entry.part = run.position - run.keys;
    entry.expects = run.keys;
    entry.flags = this.#flags;
    entry.lane = client.lane;
    client.adds(this.#parent!, run.bytes);
    run.upstream!.sendWritten(entry, run.bytes);
    run.block = null;
  }

  takesParts(_: Entry, gathered: number): boolean {
    this.#client!.gathers(this.#parent!, (this.#replies?.used ?? 0) + gathered);
    return false;
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    const position = entry.part;
    if (isRepeated(entry)) {
      if (bytes[from] === MINUS && this.#client!.home.sender.again(entry, bytes, from, to)) return;
      this.#keep(this.#order[position]!, bytes, from, to);
      finish(entry);
    } else {
      entry.part += 1;
      const again = bytes[from] === MINUS ? this.#alone(entry, position) : null;
      if (again === null) this.#keep(this.#order[position]!, bytes, from, to);
      else if (!this.#client!.home.sender.again(again, bytes, from, to)) {
        this.#keep(this.#order[position]!, bytes, from, to);
        finish(again);
      } else this.#missing += 1;
      if (isLast) finish(entry);
    }
    this.#answered();
  }

  takeLoss(entry: Entry, loss: Loss): void {
    const { sender } = this.#client!.home;
    if (isRepeated(entry)) {
      if (sender.lost(entry, loss)) return;
      this.#keep(this.#order[entry.part]!, OUTCOME_UNKNOWN, 0, OUTCOME_UNKNOWN.length);
      finish(entry);
      this.#answered();
      return;
    }
    const last = entry.part + entry.expects;
    // The last one is answered after all are looked at: until then this is not over.
    this.#missing += 1;
    for (let position = entry.part; position < last; position += 1) {
      const alone = this.#alone(entry, position);
      if (sender.lost(alone, loss)) continue;
      this.#keep(this.#order[position]!, OUTCOME_UNKNOWN, 0, OUTCOME_UNKNOWN.length);
      finish(alone);
      this.#missing -= 1;
    }
    finish(entry);
    this.#answered();
  }

  /** An entry for one part of a run. */
  #alone(entry: Entry, position: number): Entry {
    const alone = takeEntry();
    alone.taker = this;
    alone.holder = this.#client;
    alone.part = position;
    alone.expects = NOBODY_SENT;
    alone.flags = entry.flags;
    alone.lane = entry.lane;
    alone.slot = this.#slots[this.#order[position]!]!;
    alone.block = entry.block;
    alone.block!.holders += 1;
    alone.start = this.#starts[position]!;
    alone.end = this.#ends[position]!;
    return alone;
  }

  #keep(key: number, bytes: Buffer, from: number, to: number): void {
    this.#parent!.hasPart = true;
    if (bytes[from] === MINUS) this.#error ??= Buffer.from(bytes.subarray(from, to));
    else if (this.#merge === 'sum') this.#sum += integerAt(bytes, from + 1, to - 2);
    else if (this.#merge === 'values') this.#keepValue(key, bytes, from + VALUE_AT, to);
  }

  #keepValue(key: number, bytes: Buffer, from: number, to: number): void {
    if (this.#client!.isClosed) return;
    let block = this.#replies;
    if (block === null || block.room < to - from) {
      const bigger = takeBlock(((block?.used ?? 0) + to - from) * 2);
      if (block !== null) {
        block.bytes.copy(bigger.bytes, 0, 0, block.used);
        bigger.used = block.used;
        releaseBlock(block);
      }
      block = bigger;
      this.#replies = block;
    }
    this.#pieces[2 * key] = block.used;
    block.used = copyInto(block, block.used, bytes, from, to);
    this.#pieces[2 * key + 1] = block.used;
    this.#client!.gathers(this.#parent!, block.used);
  }

  #answered(): void {
    this.#missing -= 1;
    if (this.#missing > 0) return;
    const client = this.#client!;
    const parent = this.#parent!;
    const replies = this.#replies;
    if (client.isClosed) client.complete(parent, OK);
    else if (this.#error !== null) client.complete(parent, this.#error);
    else if (this.#merge === 'sum') client.complete(parent, Buffer.from(`:${this.#sum}\r\n`, 'latin1'));
    else if (this.#merge === 'first') client.complete(parent, OK);
    else {
      const head = Buffer.from(`*${this.#count}\r\n`, 'latin1');
      client.completeInPieces(parent, head, replies!, this.#pieces, this.#count);
    }
    if (replies !== null) releaseBlock(replies);
    this.#replies = null;
    this.#client = null;
    this.#parent = null;
    this.#error = null;
    if (free.length < KEPT) free.push(this);
  }
}

/** Behind `*1\r\n`. */
const VALUE_AT = 4;
const OK = Buffer.from('+OK\r\n');

/** It stands for one part that was taken out of its run. */
const isRepeated = (entry: Entry): boolean => entry.expects === NOBODY_SENT;

function endOf(call: Call, key: number, step: number): number {
  const last = key * step + step;
  return call.startOf(last) + call.lengthOf(last) + 2;
}

function integerAt(bytes: Buffer, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at += 1) value = value * 10 + bytes[at]! - 48;
  return value;
}
