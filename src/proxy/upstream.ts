/**
 * One connection of the endpoint to one node. Commands of many clients are written in the order they are given and
 * answered in that order:
 *
 *     send()  ->  [ block | block ]  --flush, once a turn-->  node
 *     queue:      e1 e2 e3 | e4 e5        <-- replies, to the first
 *                 sent       unsent
 *
 * connecting -> setting up (HELLO, SELECT, ... answered before anything else is sent) -> ready -> closed. It never comes
 * back; its owner makes another.
 */
import type { Socket } from 'node:net';
import { ByteBuffer } from '../resp/byte-buffer.ts';
import { Decoder } from '../resp/decode.ts';
import { encodeCommand } from '../resp/encode.ts';
import { ProtocolError, ReplyError } from '../resp/reply.ts';
import { ReplyScanner } from '../resp/reply-scanner.ts';
import { BLOCK_BYTES, type Block, blockOf, copyInto, releaseBlock, takeBlock } from './block.ts';
import { clientIdIn } from './decoded-reply.ts';
import { type Entry, PUSHED, READS_ONLY, SWALLOW, takeEntry } from './entry.ts';
import { SAMPLE_EVERY } from './histogram.ts';
import { connectSocket } from './read-socket.ts';
import { Ring } from './ring.ts';
import { type Writer, writerTo } from './socket-writer.ts';
import { flushAtEndOfTurn } from './turn.ts';
import type { UpstreamOwner, UpstreamPlace } from './upstream-place.ts';
import { type WaitAnswer, Withheld } from './withheld.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const REPLY_LIMIT_BYTES = 1024 ** 3;
/** Of what is no answer to a command: answers to the setup, pushes. */
const UNASKED_LIMIT_BYTES = 64 * 1024 ** 2;
const MINUS = 0x2d;
const PUSH = 0x3e;
/** A command of so many bytes is not copied when it lies in a block. */
const LONG_BYTES = 8 * 1024;

export class Upstream {
  isDirty = false;
  /** The engine's id of this connection, once it is ready; 0 when it was not told. */
  clientId = 0;
  /** Bytes read and written. */
  bytesIn = 0;
  bytesOut = 0;
  readonly place: UpstreamPlace;
  readonly #owner: UpstreamOwner;
  readonly #socket: Socket;
  readonly #writer: Writer;
  readonly #scanner = new ReplyScanner();
  readonly #carry = new ByteBuffer();
  readonly #queue = new Ring<Entry>();
  /** Entries at the end of the queue of which nothing was handed to the network. */
  #unsent = 0;
  /** `READS_ONLY` as long as all of these only read. */
  #unsentFlags = READS_ONLY;
  readonly #withheld = new Withheld((answer) => this.#acknowledged(answer));
  /** It was closed because too few replicas acknowledged. */
  lacksReplicas = false;
  /** Answers to HELLO that are still to come, behind errors. */
  #strays = 0;
  #block: Block | null = null;
  /** Of the present block: how much was handed to the socket. */
  #flushed = 0;
  /** Parts of blocks that were not handed to the socket yet, before the present block. */
  #waiting: { block: Block; from: number; to: number }[] = [];
  /** Answers to the setup that are still to come. */
  #setupMissing: number;
  #state: 'connecting' | 'ready' | 'closed' = 'connecting';
  readonly #connectTimer: NodeJS.Timeout;
  /** The entry that is timed, since when; and the last one that was given. */
  #timed: Entry | null = null;
  #timedSince = 0;
  #last: Entry | null = null;
  #flushes = 0;

  constructor(place: UpstreamPlace, owner: UpstreamOwner) {
    this.place = place;
    this.#owner = owner;
    this.#setupMissing = place.setup.length;
    this.#socket = connectSocket(place, (length, bytes) => this.#received(bytes, length));
    this.#writer = writerTo(this.#socket, () => {});
    this.#connectTimer = setTimeout(() => this.close(), CONNECT_TIMEOUT_MS);
    this.#socket.on(place.tls === null ? 'connect' : 'secureConnect', () => this.#connected());
    this.#socket.on('error', () => this.close());
    this.#socket.on('end', () => this.close());
    this.#socket.on('close', () => this.close());
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  get isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Commands without an answer yet. */
  get inFlight(): number {
    return this.#queue.length;
  }

  /** The number of the batch whose writes wait for replicas to acknowledge them; 0: none does. */
  get withheldBatch(): number {
    return this.#withheld.isOn ? this.#withheld.batch : 0;
  }

  /** Bytes that the node has not taken yet. */
  get buffered(): number {
    return this.#writer.unread;
  }

  /** Copies the command and sends it with the others of this turn. The upstream must not be closed. */
  send(entry: Entry, bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    let block = this.#block;
    if (length >= LONG_BYTES) {
      const own = blockOf(bytes);
      if (own !== undefined) return this.#sendIn(own, entry, from, to);
    }
    if (block === null || block.room < length) block = this.#nextBlock(length);
    const start = block.used;
    block.used = copyInto(block, start, bytes, from, to);
    this.#enqueue(entry, block, start, start + length);
  }

  /** Sends a command from where it lies: nobody writes there while its entry holds the block. */
  #sendIn(block: Block, entry: Entry, from: number, to: number): void {
    this.#sealBlock();
    this.#waiting.push({ block, from, to });
    this.#enqueue(entry, block, from, to);
  }

  /**
   * Room for commands that the caller writes itself, from `block.used` on; `sendWritten` sends them as one entry. Both
   * are called without anything in between.
   */
  reserve(length: number): Block {
    const block = this.#block;
    return block === null || block.room < length ? this.#nextBlock(length) : block;
  }

  sendWritten(entry: Entry, length: number): void {
    const block = this.#block!;
    const start = block.used;
    block.used = start + length;
    this.#enqueue(entry, block, start, start + length);
  }

  /** The next command may use a slot that is on its way to this node. */
  ask(): void {
    this.sendSwallowed(ASKING);
  }

  /** Sends a command whose answer nobody waits for. */
  sendSwallowed(bytes: Buffer): void {
    const entry = takeEntry();
    entry.taker = SWALLOW;
    entry.flags = READS_ONLY;
    this.send(entry, bytes, 0, bytes.length);
  }

  /**
   * Sends a command that is answered by pushes (SUBSCRIBE in RESP3), and HELLO, which every user may say, behind it: the
   * entry is told of HELLO's answer, when all pushes are there, or else of the error that the command met.
   */
  sendPushed(entry: Entry, bytes: Buffer): void {
    entry.flags |= PUSHED;
    const both = Buffer.concat([bytes, HELLO]);
    this.send(entry, both, 0, both.length);
  }

  #enqueue(entry: Entry, block: Block, start: number, end: number): void {
    block.holders += 1;
    if (entry.block !== null) releaseBlock(entry.block); // it is sent again
    entry.block = block;
    entry.start = start;
    entry.end = end;
    entry.tries += 1;
    this.#queue.push(entry);
    this.#last = entry;
    this.#unsent += 1;
    this.#unsentFlags &= entry.flags;
    if (!this.isDirty && this.#state === 'ready') flushAtEndOfTurn(this);
  }

  #nextBlock(length: number): Block {
    this.#sealBlock();
    this.#block = takeBlock(Math.max(length, BLOCK_BYTES));
    return this.#block;
  }

  /** The present block takes no more. */
  #sealBlock(): void {
    const block = this.#block;
    if (block === null) return;
    if (block.used > this.#flushed) this.#waiting.push({ block, from: this.#flushed, to: block.used });
    this.#block = null;
    this.#flushed = 0;
    releaseBlock(block); // its entries hold it on
  }

  flush(): void {
    if (this.#state !== 'ready' || this.#withheld.isOn) return;
    if (this.#unsentFlags !== READS_ONLY) this.#endBatch();
    this.#unsent = 0;
    this.#flushes += 1;
    if (this.#timed === null && this.#flushes % SAMPLE_EVERY === 0) {
      this.#timed = this.#last;
      this.#timedSince = performance.now();
    }
    const several = this.#waiting.length > 0;
    if (several) {
      this.#socket.cork(); // all of it in one system call
      for (const { block, from, to } of this.#waiting) this.#write(block.bytes, from, to);
      this.#waiting = [];
    }
    const block = this.#block;
    if (block !== null && block.used > this.#flushed) {
      this.#write(block.bytes, this.#flushed, block.used);
      this.#flushed = block.used;
    }
    if (several) this.#socket.uncork();
  }

  /** What is about to leave has writes. */
  #endBatch(): void {
    const { acknowledging } = this.place;
    if (acknowledging !== null && acknowledging.count > 0) {
      this.isDirty = true; // it leaves with the others
      this.send(this.#withheld.begin(acknowledging.count), acknowledging.command, 0, acknowledging.command.length);
      this.isDirty = false;
    }
    this.#unsentFlags = READS_ONLY;
  }

  /** WAIT was answered. */
  #acknowledged(answer: WaitAnswer): void {
    if (answer === 'enough') {
      this.#withheld.give();
      if (this.#unsent > 0 && !this.isDirty && this.#state === 'ready') flushAtEndOfTurn(this);
    } else if (answer === 'replaced') {
      this.#owner.upstreamReplaced();
    } else {
      this.lacksReplicas = true;
      this.close();
    }
  }

  /** Replicas have what was written, by another's word: the node was replaced. Ends the connection. */
  settle(): void {
    if (this.#queue.length - this.#unsent <= 1) this.#withheld.give(); // all but WAIT is answered
    this.close();
  }

  #write(bytes: Buffer, from: number, to: number): void {
    this.bytesOut += to - from;
    this.#writer.write(bytes.subarray(from, to));
  }

  #connected(): void {
    if (this.#state !== 'connecting') return;
    if (this.#setupMissing === 0) this.#ready();
    else for (const command of this.place.setup) this.#socket.write(encodeCommand(command));
  }

  #ready(): void {
    clearTimeout(this.#connectTimer);
    this.#state = 'ready';
    if (this.#unsent > 0 && !this.isDirty) flushAtEndOfTurn(this);
    this.#owner.upstreamReady();
  }

  #received(bytes: Buffer, length: number): boolean {
    this.bytesIn += length;
    try {
      this.#receivedReplies(bytes, length);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.close();
    }
    return true;
  }

  #takeSetup(bytes: Buffer): void {
    const decoder = new Decoder();
    decoder.push(bytes);
    const reply = decoder.next()!;
    if (reply instanceof ReplyError) return this.close(reply.message);
    this.clientId ||= clientIdIn(reply);
    this.#setupMissing -= 1;
    if (this.#setupMissing === 0) this.#ready();
  }

  #receivedReplies(bytes: Buffer, length: number): void {
    const scanner = this.#scanner;
    let at = 0;
    while (at < length && this.#state !== 'closed') {
      const end = scanner.scan(bytes, at, length);
      if (end < 0) return this.#takePart(bytes, at, length);
      if (this.#carry.length > 0) {
        this.#carry.append(bytes, at, end, REPLY_LIMIT_BYTES);
        const whole = this.#carry.bytes();
        this.#deliver(whole, 0, whole.length);
        this.#carry.clear();
      } else {
        this.#deliver(bytes, at, end);
      }
      at = end;
    }
  }

  #takePart(bytes: Buffer, from: number, to: number): void {
    const { type } = this.#scanner;
    const carry = this.#carry;
    const head = this.#state === 'ready' && this.#isAsked ? this.#queue.peek() : undefined;
    if (!head || type === MINUS || type === PUSH || !this.#takesParts(head, carry.length + to - from)) {
      carry.append(bytes, from, to, REPLY_LIMIT_BYTES);
      if (carry.length > (head ? REPLY_LIMIT_BYTES : UNASKED_LIMIT_BYTES))
        throw new ProtocolError('a reply without end');
      return;
    }
    const gathered = carry.length > 0 ? carry.bytes() : null;
    head.isStreaming = true;
    if (gathered !== null) {
      head.taker.takeReply(head, gathered, 0, gathered.length, false);
      carry.clear();
    }
    head.taker.takeReply(head, bytes, from, to, false);
  }

  #takesParts(head: Entry, gathered: number): boolean {
    if (!this.#withheld.concerns(head)) return head.taker.takesParts(head, gathered);
    head.taker.withheld?.(head, gathered);
    return false;
  }

  /** There is a command at the node that has no answer yet. */
  get #isAsked(): boolean {
    return this.#queue.length > this.#unsent;
  }

  #deliver(bytes: Buffer, from: number, to: number): void {
    if (this.#scanner.type === PUSH) {
      this.#owner.upstreamPush(bytes, from, to);
      return;
    }
    if (this.#setupMissing > 0) return this.#takeSetup(bytes.subarray(from, to));
    if (this.#strays > 0) {
      this.#strays -= 1;
      return;
    }
    const entry = this.#queue.peek();
    if (entry === undefined || !this.#isAsked) throw new ProtocolError('an answer that nobody asked for');
    if (entry.expects > 1) {
      entry.expects -= 1;
      this.#give(entry, bytes, from, to, false);
      return;
    }
    this.#queue.shift();
    if ((entry.flags & PUSHED) !== 0 && this.#scanner.type === MINUS) this.#strays += 1;
    if (entry === this.#timed) {
      this.#timed = null;
      this.#owner.upstreamAnswered(performance.now() - this.#timedSince);
    }
    this.#give(entry, bytes, from, to, true);
    const block = this.#block;
    if (
      block !== null &&
      block.holders === 1 &&
      this.#queue.length === 0 &&
      block.used === this.#flushed &&
      this.#writer.isFree
    ) {
      block.used = 0; // all of it is answered: written anew from its beginning, while it is still in the cache
      this.#flushed = 0;
    }
  }

  #give(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (this.#withheld.concerns(entry)) this.#withheld.keep(entry, bytes, from, to, isLast);
    else entry.taker.takeReply(entry, bytes, from, to, isLast);
  }

  /** Ends it; what it has not answered is told so, in order. */
  close(refusal: string | null = null): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    clearTimeout(this.#connectTimer);
    this.#socket.destroy();
    const sent = this.#queue.length - this.#unsent;
    const entries: Entry[] = [];
    for (let entry = this.#queue.shift(); entry !== undefined; entry = this.#queue.shift()) entries.push(entry);
    this.#owner.upstreamClosed(refusal);
    this.#withheld.lose();
    for (const [index, entry] of entries.entries()) entry.taker.takeLoss(entry, index < sent ? 'unanswered' : 'unsent');
  }
}

const ASKING = encodeCommand(['ASKING']);
const HELLO = encodeCommand(['HELLO']);
