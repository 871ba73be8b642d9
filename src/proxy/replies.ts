/**
 * What goes to a client: the queue that keeps its replies in the order of its commands, the bytes that are on their way,
 * and the account of them.
 *
 *     head e1 e2 e3 tail      a reply to e1 is written as it comes; one to e3 waits until e1 and e2 are answered
 *          |     '- done: its reply waits
 *          '- its turn
 */
import type { Socket } from 'node:net';
import { type Block, keepAside } from './block.ts';
import type { Command } from './commands/command-index.ts';
import { FLAGS } from './commands/facts.ts';
import { BESIDE, type Entry, type Holder, type Loss, MUTED, READS_ONLY, type ReplyTaker, takeEntry } from './entry.ts';
import type { Home } from './home.ts';
import type { Lane } from './lane.ts';
import { Outbox } from './outbox.ts';
import { FROM_REPLICA, finish, OUTCOME_UNKNOWN } from './sender.ts';
import type { Session } from './session.ts';

const MINUS = 0x2d;

export abstract class Replies implements ReplyTaker, Holder {
  isClosed = false;
  abstract readonly session: Session;
  readonly home: Home;
  /** Commands without a whole reply. */
  inFlight = 0;
  /** Bytes of its commands and replies that are under way: part of the account of all. */
  held = 0;
  protected head: Entry | null = null;
  protected readonly outbox: Outbox;
  /** Is told of every whole reply that came before its turn. */
  replyWaits: (() => void) | null = null;
  #tail: Entry | null = null;
  /** What it has under way are reads, which go beside the writes that replicas must acknowledge. */
  #readsBeside = false;
  /** Of `held`: what its peer has not taken. */
  #heldUnread = 0;

  constructor(socket: Socket, home: Home) {
    this.home = home;
    this.outbox = new Outbox(
      socket,
      (bytes) => this.sent(bytes),
      () => this.taken(),
    );
  }

  abstract hold(): void;
  abstract release(): void;
  abstract close(): void;
  abstract updatePlain(): void;
  /** Its peer has taken what was written. */
  protected abstract taken(): void;
  /** A command was answered: others may come, and what waits for its end may end. */
  protected abstract answered(): void;

  /** The latest command that has no reply yet, or one that waits for its turn. */
  get last(): Entry | null {
    return this.#tail;
  }

  /**
   * Of a database with acknowledgements: finds out by which connection the command goes. Two of one client never go by
   * two connections at once, since they might overtake each other.
   * @returns false when the others must be answered first
   */
  protected choosesWay(command: Command | undefined, lane: Lane): boolean {
    const isRead = command !== undefined && (command.readsOnly || command.name === 'info') && lane.isShared;
    if (this.head === null) this.#readsBeside = isRead;
    return this.head === null || (this.#readsBeside ? isRead : !needsOwnConnection(command));
  }

  /** Whether writes must be acknowledged has changed: what comes next follows what is under way. */
  forgetWay(): void {
    this.#readsBeside = false;
  }

  /** `BESIDE` when the command that is being taken goes beside writes. */
  get besideFlag(): number {
    return this.#readsBeside && this.home.acknowledging.count > 0 ? BESIDE : 0;
  }

  /** Of a command that only reads. */
  get readFlags(): number {
    return (this.session.readsReplicas ? READS_ONLY | FROM_REPLICA : READS_ONLY) | this.besideFlag;
  }

  /** A place in the order of replies, with this client as the taker. */
  enqueue(): Entry {
    const entry = takeEntry();
    entry.taker = this;
    entry.holder = this;
    if (this.isClosed) return entry;
    if (this.session.replies !== 'on') this.#mute(entry);
    if (this.#tail === null) this.head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
    this.inFlight += 1;
    return entry;
  }

  #mute(entry: Entry): void {
    const { session } = this;
    entry.flags |= MUTED;
    if (session.replies !== 'skip') return;
    session.replies = 'on';
    this.updatePlain();
  }

  /** Answers the command that is being taken. */
  reply(bytes: Buffer | string): void {
    this.complete(this.enqueue(), typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  /** The whole reply to a command of this client; the entry is over. */
  complete(entry: Entry, bytes: Buffer): void {
    this.takeReply(entry, bytes, 0, bytes.length, true);
  }

  /** The whole reply, in pieces of one block; the entry is over. */
  completeInPieces(entry: Entry, head: Buffer, block: Block, pieces: Int32Array, count: number): void {
    if (entry === this.head && (entry.flags & MUTED) === 0) {
      this.write(head, 0, head.length);
      for (let index = 0; index < count; index += 1) {
        this.outbox.writeFrom(block, pieces[2 * index]!, pieces[2 * index + 1]!);
      }
      if (this.isClosed) finish(entry);
      else this.#pop();
      return;
    }
    const { bytes } = block;
    const parts = [head];
    for (let index = 0; index < count; index += 1) parts.push(bytes.subarray(pieces[2 * index], pieces[2 * index + 1]));
    this.complete(entry, Buffer.concat(parts));
  }

  takesParts(entry: Entry, gathered: number): boolean {
    if (entry === this.head || this.isClosed) return true;
    this.gathers(entry, gathered);
    return this.isClosed;
  }

  /** Bytes of the command, or of parts of it, are under way. */
  adds(entry: Entry, bytes: number): void {
    if (this.isClosed) return;
    entry.counted += bytes;
    this.held += bytes;
    this.home.underWay.bytes += bytes;
  }

  withheld(entry: Entry, bytes: number): void {
    this.gathers(entry, bytes);
  }

  /** So many bytes of the reply have come, and wait for the rest or their turn. */
  gathers(entry: Entry, bytes: number): void {
    if (this.isClosed) return;
    entry.counted += bytes - entry.gathered;
    this.count(bytes - entry.gathered);
    entry.gathered = bytes;
    if (bytes <= this.home.limits.replyBytesClose) return;
    this.home.counts.slowClients += 1;
    this.close();
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (bytes[from] === MINUS && !entry.isStreaming) {
      if (this.home.sender.again(entry, bytes, from, to)) return;
      this.home.counts.errorReplies += 1;
    }
    if (entry === this.head) {
      if ((entry.flags & MUTED) === 0) this.write(bytes, from, to);
      if (isLast && !this.isClosed) return this.#pop();
      entry.hasPart = true;
    }
    if (this.isClosed) {
      if (isLast) finish(entry);
      return;
    }
    if (!isLast) return;
    // Another node was faster; what it said waits for its turn.
    this.gathers(entry, to - from);
    if (this.isClosed) return finish(entry);
    entry.reply = keepAside(bytes, from, to);
    entry.replyTo = entry.reply.used;
    entry.replyFrom = entry.replyTo - (to - from);
    entry.isDone = true;
    entry.hasPart = true;
    this.replyWaits?.();
  }

  takeLoss(entry: Entry, loss: Loss): void {
    if (this.home.sender.lost(entry, loss)) return;
    // A part of the reply is gone already, and the rest will never come.
    if (entry.isStreaming && (entry.flags & MUTED) === 0) this.close();
    entry.lane = null;
    this.takeReply(entry, OUTCOME_UNKNOWN, 0, OUTCOME_UNKNOWN.length, true);
  }

  /** The first command is answered, and perhaps those behind it were before. */
  #pop(): void {
    for (;;) {
      const entry = this.head!;
      const { next, takenAt, pushes } = entry;
      if (takenAt > 0) this.home.latency.endpoint.record(performance.now() - takenAt);
      // It leaves the queue first: its end may let further commands in.
      this.head = next;
      if (next === null) this.#tail = null;
      this.inFlight -= 1;
      this.held -= entry.counted;
      this.home.underWay.bytes -= entry.counted;
      if (pushes !== null) for (const push of pushes) this.write(push, 0, push.length);
      finish(entry);
      const first = this.head as Entry | null;
      if (this.isClosed) return;
      if (first === null || !first.isDone) break;
      if ((first.flags & MUTED) === 0) this.outbox.writeFrom(first.reply!, first.replyFrom, first.replyTo);
      if (this.isClosed) return;
    }
    this.answered();
  }

  /** Out of band data: behind the replies that came before it, and never within one. */
  push(bytes: Buffer, from: number, to: number): void {
    let last: Entry | null = null;
    for (let entry = this.head; entry !== null; entry = entry.next) if (entry.hasPart) last = entry;
    if (last === null) return this.write(bytes, from, to);
    last.pushes ??= [];
    last.pushes.push(Buffer.from(bytes.subarray(from, to)));
  }

  /** Out of turn, by `push` and `takeReply`. */
  write(bytes: Buffer, from: number, to: number): void {
    this.outbox.write(bytes, from, to);
  }

  /** The outbox has handed bytes to the network. */
  protected sent(bytes: number): void {
    this.home.counts.bytesOut += bytes;
    const { unread } = this;
    if (unread === this.#heldUnread) return;
    this.countUnread();
    if (unread <= this.home.limits.replyBytesClose) return;
    this.home.counts.slowClients += 1;
    this.close();
  }

  protected countUnread(): void {
    const { unread } = this;
    this.count(unread - this.#heldUnread);
    this.#heldUnread = this.isClosed ? 0 : unread;
  }

  /** Bytes of replies that its peer has not taken. */
  get unread(): number {
    return this.outbox.unread;
  }

  /** More (or less) bytes of it are under way. */
  count(bytes: number): void {
    if (this.isClosed) return;
    this.held += bytes;
    this.home.underWay.bytes += bytes;
    if (this.home.underWay.bytes > this.home.limits.totalBytes) this.home.relieve();
  }

  /** Answers that are there go with it; those that will come are thrown away by `takeReply`. */
  protected forgetQueue(): void {
    let entry = this.head;
    this.head = null;
    this.#tail = null;
    while (entry !== null) {
      const { next } = entry;
      entry.next = null;
      if (entry.isDone) finish(entry);
      entry = next;
    }
  }
}

/** What blocks or watches goes by a connection of its own. */
const needsOwnConnection = (command: Command | undefined): boolean =>
  command !== undefined && ((command.facts.flags & FLAGS.blocking) !== 0 || command.name === 'watch');
