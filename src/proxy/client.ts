/**
 * A client's connection: bytes to commands, replies in the order of the commands, both within limits.
 *
 *     bytes -> scanner -> [ command ] -> way to a node ----.
 *     queue:  e1 e2 e3  (order of commands)                |
 *     bytes <- written when it is e1's turn <--- answers --'  in any order
 *
 * It reads no further while it is held: by a command that blocks or is being repeated, by a slot map that changed while
 * commands are under way, or by replies that its peer does not take.
 */
import type { Socket } from 'node:net';
import { CommandScanner, ENGINE_LIMITS, STRANGER_LIMITS } from '../resp/command-scanner.ts';
import { ProtocolError } from '../resp/reply.ts';
import { BLOCK_BYTES, type Block, releaseBlock, takeBlock } from './block.ts';
import { type Command, findCommand } from './commands/command-index.ts';
import { type Entry, type Holder, type Loss, MUTED, READS_ONLY, type ReplyTaker, takeEntry } from './entry.ts';
import { slotOf } from './hash-slot.ts';
import { SAMPLE_EVERY } from './histogram.ts';
import type { Blocked, Home, Peer, Traffic } from './home.ts';
import type { Lane, LaneIdentity } from './lane.ts';
import { laneFor } from './own-lane.ts';
import { openAccepted } from './read-socket.ts';
import { cachingFlag, FROM_REPLICA, finish, OUTCOME_UNKNOWN } from './sender.ts';
import { addressOf, Session } from './session.ts';
import { flushAtEndOfTurn } from './turn.ts';

const MINUS = 0x2d;
/** Unread bytes that are kept while it is held; above that the socket is not read. */
const HELD_BYTES = 1024 ** 2;
const EMPTY = Buffer.alloc(0);

/** One scanner for all: a client gets one of its own for as long as a command has come in part only. */
const shared = new CommandScanner();

export class Client implements ReplyTaker, Holder, Peer {
  isDirty = false;
  isClosed = false;
  readonly session: Session;
  readonly home: Home;
  lane: Lane;
  /** Nothing stands between a plain command and its node: admitted, no transaction, no subscription in RESP2, ... */
  isPlain = false;
  /** The command it waits for, while it does. */
  blockedOn: Blocked | null = null;
  readonly #socket: Socket;
  #head: Entry | null = null;
  #tail: Entry | null = null;
  inFlight = 0;
  #mapVersion: number;
  #holds = 0;
  #waitsForMap = false;
  #parsing = false;
  #paused = false;
  #closing = false;
  /** Bytes that were read and not yet used. */
  #carry = EMPTY;
  #carryFrom = 0;
  #carryTo = 0;
  #scanner: CommandScanner | null = null;
  #out: Block | null = null;

  constructor(accepted: Socket, home: Home, id: number) {
    this.home = home;
    this.#socket = openAccepted(accepted, (length, bytes) => this.#received(bytes, length));
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    const [from, to] = [addressOf(remoteAddress, remotePort), addressOf(localAddress, localPort)];
    this.session = new Session(id, from, to, home.now);
    this.lane = home.strangersLane;
    this.#mapVersion = home.map.version;
    this.#socket.on('error', () => this.close());
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.close());
    this.#socket.on('drain', () => this.#resume());
  }

  // --- From the client -------------------------------------------------------------------------------------------

  #received(bytes: Buffer, length: number): boolean {
    if (this.isClosed) return false;
    this.home.counts.bytesIn += length;
    if (this.#carryTo === this.#carryFrom && !this.isHeld) {
      const used = this.#parse(bytes, 0, length);
      if (used < length) this.#keep(bytes, used, length);
    } else {
      this.#keep(bytes, 0, length);
      this.#parseCarry();
    }
    if (this.isHeld && this.#carryTo - this.#carryFrom > HELD_BYTES) {
      this.#paused = true;
      return false;
    }
    return !this.isClosed;
  }

  get isHeld(): boolean {
    return this.#holds > 0 || this.#waitsForMap || this.#closing;
  }

  /** Uses up whole commands. @returns up to where */
  #parse(bytes: Buffer, start: number, end: number): number {
    const { isAuthenticated } = this.session;
    let at = start;
    this.#parsing = true;
    try {
      while (at < end && !this.isHeld && !this.isClosed) {
        const scanner = this.#scanner ?? shared;
        const limits = isAuthenticated || this.session.isAuthenticated ? ENGINE_LIMITS : STRANGER_LIMITS;
        const next = scanner.scan(bytes, at, end, limits);
        if (next === 0) {
          this.#rememberScanner(scanner);
          break;
        }
        if (scanner.argc > 0) {
          const { inline } = scanner;
          const taken = inline ? this.#take(scanner, inline, 0, inline.length) : this.#take(scanner, bytes, at, next);
          if (!taken) {
            this.#scanner = null;
            shared.reset();
            break;
          }
        }
        this.#scanner = null;
        at = next;
      }
    } catch (error) {
      shared.reset();
      this.#refuse(error);
      at = end;
    } finally {
      this.#parsing = false;
    }
    return at;
  }

  #rememberScanner(scanner: CommandScanner): void {
    if (scanner.neededBytes > this.home.limits.commandBytes) {
      throw new ProtocolError(`a command is longer than the limit of ${this.home.limits.commandBytes} bytes`);
    }
    if (scanner !== shared) return;
    this.#scanner = new CommandScanner();
    this.#scanner.resumeFrom(shared);
    shared.reset();
  }

  #refuse(error: unknown): void {
    if (!(error instanceof ProtocolError)) throw error;
    this.home.counts.protocolErrors += 1;
    this.reply(`-ERR Protocol error: ${error.message.replace(/[\r\n]/g, ' ')}\r\n`);
    this.closeAfterReplies();
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    const length = to - from;
    const has = this.#carryTo - this.#carryFrom;
    if (this.#carryTo + length > this.#carry.length) {
      const needed = Math.max(has + length, this.#scanner?.neededBytes ?? 0);
      const room =
        needed <= this.#carry.length ? this.#carry : Buffer.allocUnsafeSlow(Math.max(needed, 2 * (has + length), 1024));
      this.#carry.copy(room, 0, this.#carryFrom, this.#carryTo);
      this.#carry = room;
      this.#carryFrom = 0;
      this.#carryTo = has;
    }
    bytes.copy(this.#carry, this.#carryTo, from, to);
    this.#carryTo += length;
  }

  #parseCarry(): void {
    if (this.isHeld || this.#parsing) return;
    this.#carryFrom = this.#parse(this.#carry, this.#carryFrom, this.#carryTo);
    if (this.#carryFrom !== this.#carryTo) return;
    this.#carryFrom = 0;
    this.#carryTo = 0;
    this.#carry = EMPTY;
  }

  /** @returns whether the command was taken; not while the client is to wait for what it has under way */
  #take(scanner: CommandScanner, bytes: Buffer, from: number, to: number): boolean {
    const { home, session } = this;
    if (!this.#mayGoOn()) return false;
    const command = findCommand(bytes, from + scanner.starts[0]!, scanner.lengths[0]!);
    session.commands += 1;
    session.lastCommandAt = home.now;
    if (command === undefined) {
      home.dispatcher.unknown(this, scanner, bytes, from);
      return true;
    }
    home.operations[command.number]! += 1;
    session.lastCommand = command.name;
    const { argc } = scanner;
    if (command.isPlain && this.isPlain && argc >= command.minArgs && argc <= command.maxArgs) {
      const keyAt = from + scanner.starts[1]!;
      const slot = slotOf(bytes, keyAt, keyAt + scanner.lengths[1]!);
      this.forward(command, slot, bytes, from, to);
      return true;
    }
    home.dispatcher.dispatch(this, command, scanner, bytes, from, to);
    return true;
  }

  #mayGoOn(): boolean {
    const { limits, map } = this.home;
    if (this.#head === null) {
      this.#mapVersion = map.version;
      return true;
    }
    if (
      this.#mapVersion !== map.version ||
      this.inFlight >= limits.inFlightPerClient ||
      this.unread > limits.replyBytesPause
    ) {
      this.#waitsForMap = true;
      return false;
    }
    return true;
  }

  /** Sends a command to the owner of its slot (-1: any primary); its reply is the reply. */
  forward(command: Command, slot: number, bytes: Buffer, from: number, to: number): void {
    const entry = this.enqueue();
    entry.slot = slot;
    if (!this.isPlain) entry.flags |= cachingFlag(this.session.caching);
    if (command.readsOnly) entry.flags |= this.session.readsReplicas ? READS_ONLY | FROM_REPLICA : READS_ONLY;
    if (this.session.commands % SAMPLE_EVERY === 0) entry.takenAt = performance.now();
    this.home.sender.send(entry, this.lane, bytes, from, to);
  }

  // --- To the client ---------------------------------------------------------------------------------------------

  /** A place in the order of replies, with this client as the taker. */
  enqueue(): Entry {
    const entry = takeEntry();
    entry.taker = this;
    entry.holder = this;
    if (this.session.replies !== 'on') this.#mute(entry);
    if (this.#tail === null) this.#head = entry;
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

  /** The whole reply, in pieces of one buffer; the entry is over. */
  completeInPieces(entry: Entry, head: Buffer, bytes: Buffer, pieces: Int32Array, count: number): void {
    if (entry === this.#head && (entry.flags & MUTED) === 0) {
      this.write(head, 0, head.length);
      for (let index = 0; index < count; index += 1) this.write(bytes, pieces[2 * index]!, pieces[2 * index + 1]!);
      this.#pop();
      return;
    }
    const parts = [head];
    for (let index = 0; index < count; index += 1) parts.push(bytes.subarray(pieces[2 * index], pieces[2 * index + 1]));
    this.complete(entry, Buffer.concat(parts));
  }

  takesParts(entry: Entry): boolean {
    return entry === this.#head && !this.isClosed && (entry.flags & MUTED) === 0;
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    if (bytes[from] === MINUS && !entry.isStreaming) {
      if (this.home.sender.again(entry, bytes, from, to)) return;
      this.home.counts.errorReplies += 1;
    }
    if (entry === this.#head) {
      if ((entry.flags & MUTED) === 0) this.write(bytes, from, to);
      if (isLast) this.#pop();
      else entry.hasPart = true;
      return;
    }
    // Another node was faster; what it said waits for its turn.
    entry.reply = Buffer.from(bytes.subarray(from, to));
    entry.isDone = true;
    entry.hasPart = true;
  }

  takeLoss(entry: Entry, loss: Loss): void {
    if (this.home.sender.lost(entry, loss)) return;
    if (entry.isStreaming) {
      // A part of the reply is gone already, and the rest will never come.
      this.close();
      this.#dropEntry(entry);
      return;
    }
    entry.lane = null;
    this.takeReply(entry, OUTCOME_UNKNOWN, 0, OUTCOME_UNKNOWN.length, true);
  }

  #dropEntry(entry: Entry): void {
    if (entry === this.#head) this.#pop();
    else {
      entry.reply = EMPTY;
      entry.isDone = true;
    }
  }

  /** The first command is answered, and perhaps those behind it were before. */
  #pop(): void {
    let done = this.#head!;
    for (;;) {
      const { takenAt, pushes } = done;
      if (takenAt > 0) this.home.latency.endpoint.record(performance.now() - takenAt);
      this.#head = done.next;
      if (this.#head === null) this.#tail = null;
      this.inFlight -= 1;
      if (pushes !== null) for (const push of pushes) this.write(push, 0, push.length);
      finish(done); // may let the client go on: the queue is another one afterwards
      const next: Entry | null = this.#head;
      if (next === null || !next.isDone) break;
      if ((next.flags & MUTED) === 0) this.write(next.reply!, 0, next.reply!.length);
      done = next;
    }
    if (this.#waitsForMap) this.#resume();
    if (this.#closing && this.#head === null) this.#closeNow();
  }

  /** Out of band data: behind the replies that came before it, and never within one. */
  push(bytes: Buffer, from: number, to: number): void {
    let last: Entry | null = null;
    for (let entry = this.#head; entry !== null; entry = entry.next) if (entry.hasPart) last = entry;
    if (last === null) return this.write(bytes, from, to);
    last.pushes ??= [];
    last.pushes.push(Buffer.from(bytes.subarray(from, to)));
  }

  /** Out of turn, by `push` and `takeReply`. */
  write(bytes: Buffer, from: number, to: number): void {
    if (this.isClosed) return;
    const length = to - from;
    let block = this.#out;
    if (block !== null && block.room < length) {
      this.flush();
      block = this.#out;
    }
    if (length > BLOCK_BYTES) {
      this.#send(Buffer.from(bytes.subarray(from, to)));
      return;
    }
    if (block === null) {
      block = takeBlock(length);
      this.#out = block;
    }
    bytes.copy(block.bytes, block.used, from, to);
    block.used += length;
    if (!this.isDirty) flushAtEndOfTurn(this);
  }

  flush(): void {
    const block = this.#out;
    if (block === null || this.isClosed) return;
    this.#out = null;
    this.#send(block.bytes.subarray(0, block.used));
    // With nothing left in the socket the kernel has it all, and the block is free again.
    if (this.#socket.writableLength === 0) releaseBlock(block);
  }

  #send(bytes: Buffer): void {
    this.home.counts.bytesOut += bytes.length;
    this.#socket.write(bytes);
    if (this.unread <= this.home.limits.replyBytesClose) return;
    this.home.counts.slowClients += 1;
    this.close();
  }

  /** Bytes of replies that its peer has not taken. */
  get unread(): number {
    return this.#socket.writableLength;
  }

  get traffic(): Traffic {
    const { bytesRead, bytesWritten } = this.#socket;
    return { bytesIn: bytesRead, bytesOut: bytesWritten, carried: this.#carryTo - this.#carryFrom };
  }

  // --- Who it is -------------------------------------------------------------------------------------------------

  /** Other users, databases and protocol versions have other lanes. */
  changeIdentity(change: Partial<LaneIdentity>): void {
    const { session, home } = this;
    Object.assign(session, change);
    if (!session.isAuthenticated) return;
    const { user, password, db, resp } = session;
    const before = this.lane;
    this.lane = laneFor(this, { user, password, db, resp });
    home.leaveLane(before);
    this.updatePlain();
  }

  /** To be called when anything that it depends on has changed. */
  updatePlain(): void {
    const { session } = this;
    this.isPlain =
      session.isAuthenticated &&
      session.transaction === null &&
      session.caching === null &&
      session.replies === 'on' &&
      !session.isSubscriberOnly;
  }

  // --- Held and let go -------------------------------------------------------------------------------------------

  /** Takes no further command until `release`. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    this.#resume();
  }

  #resume(): void {
    const { limits, map } = this.home;
    if (this.#waitsForMap) {
      const drained =
        this.#head === null || (this.#mapVersion === map.version && this.inFlight < limits.inFlightPerClient / 2);
      if (!drained || this.unread > limits.replyBytesPause) return;
      this.#waitsForMap = false;
    }
    if (this.#parsing || this.isClosed || this.isHeld) return;
    this.#parseCarry();
    if (!this.#paused || this.isHeld || this.isClosed) return;
    this.#paused = false;
    this.#socket.resume();
  }

  // --- Its end ---------------------------------------------------------------------------------------------------

  get isIdle(): boolean {
    const { transaction, watch, subscriptions } = this.session;
    const hasSubscriptions = subscriptions !== null && subscriptions.count > 0;
    return this.#head === null && this.#carryFrom === this.#carryTo && !transaction && !watch && !hasSubscriptions;
  }

  /** Takes no further command, and ends when what it has under way is answered. */
  closeAfterReplies(): void {
    this.#closing = true;
    if (this.#head === null) this.#closeNow();
  }

  #closeNow(): void {
    if (this.isClosed) return;
    this.flush();
    this.#socket.end();
    this.#forget();
  }

  /** The peer has sent its last byte: what it asked for is still answered, unless it would have to wait for it. */
  #ended(): void {
    if (this.#head === null || this.#holds > 0) this.close();
    else this.closeAfterReplies();
  }

  close(): void {
    if (this.isClosed) return;
    this.#socket.destroy();
    this.#forget();
  }

  #forget(): void {
    this.isClosed = true;
    if (this.#out) releaseBlock(this.#out);
    this.#out = null;
    this.#carry = EMPTY;
    this.#carryFrom = 0;
    this.#carryTo = 0;
    this.blockedOn?.abandon();
    this.session.subscriptions?.close();
    this.session.watch?.upstream.close();
    this.home.leaveLane(this.lane);
    this.home.forget(this);
  }
}
