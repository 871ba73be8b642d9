/** Commands that may block: each on a connection that the client has for itself as long as it waits. */
import { encodeCommand } from '../../resp/encode.ts';
import { encodeReply, NULL_ARRAY } from '../../resp/encode-reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import type { Entry, Loss, ReplyTaker } from '../entry.ts';
import type { Lane } from '../lane.ts';
import { routeByKeys, slotOfKeys } from '../routing.ts';
import { finish, OUTCOME_UNKNOWN } from '../sender.ts';
import type { Upstream } from '../upstream.ts';

const MINUS = 0x2d;
const UNDERSCORE = 0x5f;
const TRY_PAUSE_MS = 20;

const blocking: Handler = (call) => {
  const found = slotOfKeys(call);
  if ('error' in found) return call.error(found.error);
  if (found.slot < 0) return call.forward(-1); // malformed: the engine says how
  new Wait(call, found.slot).begin();
};

/** A time-out that can be written anew: which argument, in which unit. */
interface Timeout {
  args: Buffer[];
  index: number;
  ms: number;
  unitMs: 1 | 1000;
}

/** Where the time-out of a command is; null when it waits for ever, or says no time. */
function timeoutOf(call: Call): Timeout | null {
  const args = call.args();
  const { name } = call.command;
  const isStream = name === 'xread' || name === 'xreadgroup';
  const block = args.findIndex((arg) => arg.toString().toUpperCase() === 'BLOCK');
  const index = isStream ? block + 1 : name === 'blmpop' || name === 'bzmpop' ? 1 : args.length - 1;
  const unitMs = isStream ? 1 : 1000;
  const ms = Number(args[index]?.toString()) * unitMs;
  return ms > 0 && Number.isFinite(ms) ? { args, index, ms, unitMs } : null;
}

/** After so long at a node the next trouble is another one. */
const SETTLED_MS = 1_000;

/** One command that waits at a node, wherever its slot goes meanwhile. */
class Wait implements ReplyTaker {
  readonly #client: Client;
  readonly #entry: Entry;
  readonly #lane: Lane;
  readonly #frame: Buffer;
  readonly #slot: number;
  readonly #readsOnly: boolean;
  readonly #timeout: Timeout | null;
  readonly #since = performance.now();
  /** When it was sent last, and since when it has found no node to wait at; 0: it has. */
  #sentAt = 0;
  #troubledSince = 0;
  #node = -1;
  #upstream: Upstream | null = null;
  #isOver = false;

  constructor(call: Call, slot: number) {
    this.#client = call.client;
    this.#frame = call.frame();
    this.#timeout = timeoutOf(call);
    this.#slot = slot;
    this.#readsOnly = call.command.readsOnly;
    this.#lane = call.client.lane;
    this.#entry = call.client.enqueue();
    this.#entry.taker = this;
    this.#client.hold();
    this.#client.blockedOn = this;
  }

  begin(): void {
    if (this.#isOver) return;
    const frame = this.#frameNow();
    if (frame === null) return this.#end(encodeReply(NULL_ARRAY, this.#client.session.resp));
    this.#node = this.#client.home.map.owners[this.#slot]!;
    const upstream = this.#node < 0 ? null : this.#lane.borrow(this.#node);
    this.#upstream = upstream;
    if (upstream === null) return this.#later();
    this.#sentAt = performance.now();
    upstream.send(this.#entry, frame, 0, frame.length);
  }

  /** The command with what is left of its time-out; null when nothing is left. */
  #frameNow(): Buffer | null {
    const elapsedMs = performance.now() - this.#since;
    if (this.#timeout === null || this.#sentAt === 0) return this.#frame;
    const { args, index, ms, unitMs } = this.#timeout;
    if (elapsedMs >= ms) return null;
    const left = unitMs === 1 ? Math.max(1, Math.round(ms - elapsedMs)) : ((ms - elapsedMs) / unitMs).toFixed(3);
    return encodeCommand(args.map((arg, at) => (at === index ? String(left) : arg)));
  }

  /** The engine's id of the connection it waits on; 0 when it does not wait at a node now. */
  get engineClientId(): number {
    return this.#upstream?.clientId ?? 0;
  }

  get node(): number {
    return this.#node;
  }

  takesParts(): boolean {
    return false;
  }

  takeReply(_: Entry, bytes: Buffer, from: number, to: number): void {
    if (this.#isOver) return finish(this.#entry);
    if (bytes[from] === MINUS && mayPass(bytes.toString('latin1', from + 1, Math.min(to, from + 64))))
      return this.#later();
    const reply = Buffer.from(bytes.subarray(from, to));
    if (this.#upstream) this.#lane.giveBack(this.#node, this.#upstream);
    this.#upstream = null;
    const hasWritten = !this.#readsOnly && reply[0] !== MINUS && !isNull(reply);
    if (!hasWritten || this.#client.home.acknowledging.count === 0) this.#end(reply);
    else void this.#endWhenReached(reply);
  }

  /**
   * WAIT on its own connection does not cover a command that had to wait: the engine notes what a connection has
   * written before such a command's effect is in the history.
   */
  async #endWhenReached(reply: Buffer): Promise<void> {
    const isReached = await this.#client.home.acknowledging.reached(this.#node);
    if (this.#isOver) finish(this.#entry);
    else this.#end(isReached ? reply : OUTCOME_UNKNOWN);
  }

  takeLoss(_: Entry, loss: Loss): void {
    if (this.#isOver) return finish(this.#entry);
    if (loss === 'unsent' || this.#readsOnly) this.#later();
    else this.#end(OUTCOME_UNKNOWN);
  }

  /** Its client is gone. */
  abandon(): void {
    this.#isOver = true;
    this.#upstream?.close();
  }

  #later(): void {
    const now = performance.now();
    const hasWaited = this.#upstream !== null && now - this.#sentAt > SETTLED_MS;
    this.#upstream = null;
    if (this.#troubledSince === 0 || hasWaited) this.#troubledSince = now;
    const { home, isClosed } = this.#client;
    home.suspect();
    if (isClosed) return;
    if (now - this.#troubledSince > home.limits.waitMs) return this.#end(NOBODY_SERVES);
    setTimeout(() => this.begin(), TRY_PAUSE_MS);
  }

  #end(reply: Buffer): void {
    this.#isOver = true;
    const client = this.#client;
    client.blockedOn = null;
    this.#entry.taker = client;
    this.#entry.lane = null;
    client.complete(this.#entry, reply);
    client.release();
  }
}

const NOBODY_SERVES = Buffer.from(
  '-CLUSTERDOWN the slot has no primary that can be reached; nothing was done. Try again later\r\n',
);

/** Its time was over. */
const isNull = (reply: Buffer): boolean => reply[0] === UNDERSCORE || reply[1] === MINUS;

/** Errors that say: not here, or not yet. */
const mayPass = (text: string): boolean =>
  /^(MOVED|CLUSTERDOWN|LOADING|READONLY|MASTERDOWN|TRYAGAIN|UNBLOCKED force) /.test(text);

/** XREAD and XREADGROUP block only when asked to. */
const perhaps: Handler = (call) => {
  for (let index = 1; index < call.argc; index += 1) {
    const word = call.lengthOf(index) === 5 || call.lengthOf(index) === 7 ? call.upper(index) : '';
    if (word === 'STREAMS') break;
    if (word === 'BLOCK') return blocking(call);
  }
  routeByKeys(call);
};

export const BLOCKING_HANDLERS: Readonly<Record<string, Handler>> = {
  blpop: blocking,
  brpop: blocking,
  blmove: blocking,
  blmpop: blocking,
  brpoplpush: blocking,
  bzpopmin: blocking,
  bzpopmax: blocking,
  bzmpop: blocking,
  xread: perhaps,
  xreadgroup: perhaps,
};
