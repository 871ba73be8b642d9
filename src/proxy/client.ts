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
import { type Command, findCommand } from './commands/command-index.ts';
import { slotOf } from './hash-slot.ts';
import { SAMPLE_EVERY } from './histogram.ts';
import type { Blocked, Home, Peer, Traffic } from './home.ts';
import { Inbox } from './inbox.ts';
import type { Lane, LaneIdentity } from './lane.ts';
import { laneFor } from './own-lane.ts';
import { endSocket, type Opener } from './read-socket.ts';
import { Replies } from './replies.ts';
import { cachingFlag } from './sender.ts';
import { addressOf, Session } from './session.ts';

/** Unread bytes that are kept while it is held; above that the socket is not read. */
const HELD_BYTES = 1024 ** 2;

/** Of a client that is to end: how long its peer may take nothing of the replies that are left. */
const LAST_REPLIES_MS = 30_000;
/** One scanner for all: a client gets one of its own for as long as a command has come in part only. */
const shared = new CommandScanner();
let isSharedInUse = false;

export class Client extends Replies implements Peer {
  readonly session: Session;
  lane: Lane;
  /** Nothing stands between a plain command and its node: admitted, no transaction, no subscription in RESP2, ... */
  isPlain = false;
  /** The command it waits for, while it does. */
  blockedOn: Blocked | null = null;
  readonly #socket: Socket;
  #mapVersion: number;
  #holds = 0;
  #waitsForMap = false;
  #parsing = false;
  #paused = false;
  #closing = false;
  #closingAt = 0;
  /** The peer has sent its last byte. */
  #hasEnded = false;
  /** To be closed between two commands. */
  #isLeaving = false;
  #lastReadAt: number;
  readonly #inbox = new Inbox();
  /** Of `held`: the inbox. */
  #heldInbox = 0;
  #scanner: CommandScanner | null = null;

  constructor(open: Opener, home: Home, id: number) {
    const socket = open((length, bytes) => this.#received(bytes, length));
    super(socket, home);
    this.#socket = socket;
    const { remoteAddress, remotePort, localAddress, localPort } = this.#socket;
    const [from, to] = [addressOf(remoteAddress, remotePort), addressOf(localAddress, localPort)];
    this.session = new Session(id, from, to, home.now);
    this.#lastReadAt = home.now;
    this.lane = home.strangersLane;
    this.#mapVersion = home.map.version;
    this.#socket.on('error', () => this.close());
    this.#socket.on('end', () => this.#ended());
    this.#socket.on('close', () => this.close());
    this.#socket.on('drain', () => this.taken());
  }

  #received(bytes: Buffer, length: number): boolean {
    const { home } = this;
    if (this.isClosed) return true; // thrown away: an answer to what it sends would hide the last reply
    home.counts.bytesIn += length;
    this.#lastReadAt = home.now;
    if (this.#closing) return true;
    if (this.#inbox.length === 0 && !this.isHeld) {
      const used = this.#parse(bytes, 0, length);
      if (used < length) this.#keep(bytes, used, length);
    } else {
      this.#keep(bytes, 0, length);
      this.#parseInbox();
    }
    if (home.underWay.bytes > home.limits.totalBytes) home.relieve();
    if (this.#closing || this.#isLeaving) this.#endIfDone();
    if (this.isHeld && this.#inbox.length > HELD_BYTES) {
      this.#paused = true;
      return false;
    }
    return true;
  }

  get isHeld(): boolean {
    return this.#holds > 0 || this.#waitsForMap || this.#closing;
  }

  /** Uses up whole commands. @returns up to where */
  #parse(bytes: Buffer, start: number, end: number): number {
    const { session } = this;
    const isNested = isSharedInUse;
    const common = isNested ? new CommandScanner() : shared;
    isSharedInUse = true;
    this.#parsing = true;
    let at = start;
    try {
      while (at < end && !this.isHeld && !this.isClosed) {
        const scanner = this.#scanner ?? common;
        const next = scanner.scan(bytes, at, end, session.isAuthenticated ? ENGINE_LIMITS : STRANGER_LIMITS);
        this.#checkSize(next === 0 ? scanner.neededBytes : next - at);
        if (next === 0) {
          this.#rememberScanner(scanner);
          break;
        }
        if (scanner.argc > 0) {
          const { inline } = scanner;
          const taken = inline ? this.#take(scanner, inline, 0, inline.length) : this.#take(scanner, bytes, at, next);
          if (!taken) {
            this.#scanner = null;
            break;
          }
        }
        this.#scanner = null;
        at = next;
      }
    } catch (error) {
      common.reset();
      this.#refuse(error);
      at = end;
    } finally {
      isSharedInUse = isNested;
      this.#parsing = false;
    }
    return at;
  }

  #checkSize(bytes: number): void {
    const { commandBytes } = this.home.limits;
    if (bytes <= commandBytes) return;
    this.home.counts.longCommands += 1;
    throw new ProtocolError(`a command is longer than the limit of ${commandBytes} bytes`);
  }

  #rememberScanner(scanner: CommandScanner): void {
    if (scanner === this.#scanner) return;
    this.#scanner = new CommandScanner();
    this.#scanner.resumeFrom(scanner);
    scanner.reset();
  }

  #refuse(error: unknown): void {
    if (error instanceof ProtocolError) {
      this.home.counts.protocolErrors += 1;
      this.reply(`-ERR Protocol error: ${error.message.replace(/[\r\n]/g, ' ')}\r\n`);
      this.closeAfterReplies();
      return;
    }
    // A defect of ours ends the client whose command met it, and nobody else.
    this.home.defect(error);
    this.closeBecause('ERR the endpoint failed at this command: it may or may not have been carried out');
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    if (this.isClosed || this.#closing) return;
    this.#inbox.keep(bytes, from, to, this.#scanner?.neededBytes ?? 0);
    this.#countInbox();
  }

  #parseInbox(): void {
    const inbox = this.#inbox;
    if (this.isHeld || this.#parsing || inbox.length === 0) return;
    inbox.read((bytes, from, to) => this.#parse(bytes, from, to));
    if (inbox.length > 0) return;
    inbox.clear();
    this.#countInbox();
  }

  #countInbox(): void {
    this.count(this.#inbox.room - this.#heldInbox);
    this.#heldInbox = this.isClosed ? 0 : this.#inbox.room;
  }

  /** @returns whether the command was taken; not while the client is to wait for what it has under way */
  #take(scanner: CommandScanner, bytes: Buffer, from: number, to: number): boolean {
    const { home, session } = this;
    if (!this.#mayGoOn()) return false;
    const command = findCommand(bytes, from + scanner.starts[0]!, scanner.lengths[0]!);
    if (home.acknowledging.count > 0 && !this.choosesWay(command, this.lane)) {
      this.#mapVersion = 0; // of no map: all must be answered
      return this.#waits();
    }
    session.commands += 1;
    session.lastCommandAt = home.now;
    if (command === undefined) {
      home.dispatcher.unknown(this, scanner, bytes, from);
      return true;
    }
    home.operations[command.number]! += 1;
    session.lastCommand = command.name;
    if (home.monitors.isOn) home.monitors.tell(session, command, scanner, bytes, from);
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
    if (this.unread > limits.replyBytesPause) {
      this.#waitsForMap = true;
      this.outbox.whenTaken(() => this.taken());
      return false;
    }
    if (this.head === null) this.#mapVersion = map.version;
    else if (this.#mapVersion !== map.version || this.inFlight >= limits.inFlightPerClient) return this.#waits();
    return true;
  }

  #waits(): false {
    this.#waitsForMap = true;
    return false;
  }

  /** Sends a command to the owner of its slot (-1: any primary); its reply is the reply. */
  forward(command: Command, slot: number, bytes: Buffer, from: number, to: number): void {
    const entry = this.enqueue();
    entry.slot = slot;
    if (!this.isPlain) entry.flags |= cachingFlag(this.session.caching);
    if (command.readsOnly) entry.flags |= this.readFlags;
    if (this.session.commands % SAMPLE_EVERY === 0) entry.takenAt = performance.now();
    this.adds(entry, to - from);
    this.home.sender.send(entry, this.lane, bytes, from, to);
  }

  protected taken(): void {
    this.countUnread();
    this.#resume();
  }

  protected answered(): void {
    if (this.#waitsForMap) this.#resume();
    this.#endIfDone();
  }

  get traffic(): Traffic {
    const { bytesRead, bytesWritten } = this.#socket;
    return { bytesIn: bytesRead, bytesOut: bytesWritten, carried: this.#inbox.length };
  }

  /** Other users, databases and protocol versions have other lanes. */
  changeIdentity(change: Partial<LaneIdentity>): void {
    const { session, home } = this;
    if (this.isClosed) return; // it has left its lane
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
    this.isPlain = this.session.isPlain && !this.home.pause.isOn && !this.home.busy.isOn && !this.home.pacing.isOn;
  }

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
        this.head === null || (this.#mapVersion === map.version && this.inFlight <= limits.inFlightPerClient / 2);
      if (!drained || this.unread > limits.replyBytesPause) return;
      this.#waitsForMap = false;
    }
    if (this.#parsing || this.isClosed || this.isHeld) return;
    this.#parseInbox();
    this.#endIfDone();
    if (!this.#paused || this.isHeld || this.isClosed) return;
    this.#paused = false;
    this.#socket.resume();
  }

  /** Nothing of it is under way, and nothing is kept for it. */
  get isIdle(): boolean {
    const { transaction, watch } = this.session;
    return this.isSilent && this.#inbox.length === 0 && !this.#parsing && !transaction && !watch;
  }

  /** Nothing was asked that is not answered, and nothing subscribed to. */
  get isSilent(): boolean {
    const { subscriptions } = this.session;
    return this.head === null && this.#holds === 0 && (subscriptions === null || subscriptions.count === 0);
  }

  /** Looks at the clock: who says nothing for too long, or does not take its last replies, is closed. */
  checkTime(): void {
    const { now, limits, counts } = this.home;
    if (this.#closing) {
      if (now - this.#closingAt > LAST_REPLIES_MS && this.head === null) this.close();
    } else if (!this.session.isAuthenticated && now - this.session.connectedAt > limits.loginMs) {
      counts.lateLogins += 1;
      this.closeBecause(`ERR no user was named within ${limits.loginMs / 1000} s`);
    } else if (limits.idleMs > 0 && now - this.#lastReadAt > limits.idleMs && this.isSilent) {
      counts.idleClients += 1;
      this.close();
    }
  }

  /**
   * Ends it between two commands: now when it has said nothing for `silentMs`, so that hardly a command is on its way;
   * else with its next reply.
   */
  leave(silentMs: number): void {
    this.#isLeaving = true;
    if (this.home.now - this.#lastReadAt >= silentMs) this.#endIfDone();
  }

  /** Takes no further command, and ends when what it has under way is answered. */
  closeAfterReplies(): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#closingAt = this.home.now;
    this.#inbox.clear();
    this.#countInbox();
    this.#endIfDone();
  }

  /** Ends it at once, with an error in place of whatever it waits for; a peer that takes nothing is not told. */
  closeBecause(text: string): void {
    if (this.isClosed) return;
    const error = Buffer.from(`-${text}\r\n`);
    if (!this.head?.isStreaming && this.unread === 0) this.write(error, 0, error.length);
    this.#closeNow();
  }

  /** The peer has sent its last byte: what it asked for is still answered, unless it blocks. */
  #ended(): void {
    this.#hasEnded = true;
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.isClosed || this.#parsing) return;
    if (this.#isLeaving && !this.#closing && this.isIdle) return this.closeAfterReplies();
    if (this.#hasEnded && this.blockedOn !== null) return this.close();
    if (this.head !== null || (!this.#closing && (!this.#hasEnded || this.isHeld))) return;
    this.outbox.flush();
    if (this.unread === 0) this.#closeNow();
    else if (!this.#closing) this.closeAfterReplies();
    else this.outbox.whenTaken(() => this.#endIfDone());
  }

  #closeNow(): void {
    if (this.isClosed) return;
    this.outbox.flush();
    if (this.isClosed) return;
    this.#forget();
    endSocket(this.#socket);
  }

  close(): void {
    if (this.isClosed) return;
    this.#socket.destroy();
    this.#forget();
  }

  #forget(): void {
    this.count(-this.held);
    this.isClosed = true;
    this.outbox.close();
    this.#inbox.clear();
    this.#scanner = null;
    this.forgetQueue();
    this.blockedOn?.abandon();
    this.session.subscriptions?.close();
    this.session.watch?.upstream.close();
    this.home.leaveLane(this.lane);
    this.home.forget(this);
  }
}
