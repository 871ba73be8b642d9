/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH. A transaction is kept here and sent with EXEC as one run of commands on the
 * connection that all share: between MULTI and EXEC nothing is carried out, so nothing needs to be undone, and one that
 * meets an owner that has just lost the slot is sent again. With WATCH it goes over the connection that watches.
 */
import { encodeCommand } from '../../resp/encode.ts';
import { encodeReply, NULL_ARRAY } from '../../resp/encode-reply.ts';
import type { Call, Handler } from '../call.ts';
import type { Client } from '../client.ts';
import { FLAGS } from '../commands/facts.ts';
import { type Entry, type Loss, type ReplyTaker, takeEntry } from '../entry.ts';
import type { Lane } from '../lane.ts';
import { refusalFor } from '../permission.ts';
import { crossSlot, slotOfKeys } from '../routing.ts';
import { ensureScripts } from '../script-sources.ts';
import { cachingFrame, finish, OUTCOME_UNKNOWN } from '../sender.ts';
import type { Transaction, Watch } from '../session.ts';
import type { Upstream } from '../upstream.ts';
import { canFollow, queueForEnd, runMixed, whyNotBehind } from './mixed.ts';

const MULTI = encodeCommand(['MULTI']);
const EXEC = encodeCommand(['EXEC']);
const UNWATCH = encodeCommand(['UNWATCH']);
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';
const MINUS = 0x2d;
/** Before a transaction is sent again because the slot was on its way. */
const TRY_PAUSE_MS = 20;

/** Of the commands the endpoint answers itself, those that a node can answer as well within a transaction. */
const ANSWERED_BY_NODES = new Set([
  ...['ping', 'echo', 'time', 'publish', 'eval', 'eval_ro', 'evalsha', 'evalsha_ro', 'randomkey', 'lastsave', 'lolwut'],
  ...['command', 'unwatch', 'wait', 'waitaof', 'fcall', 'fcall_ro', 'msetex'],
]);

/** One without commands. */
export const newTransaction = (): Transaction => ({
  ...{ frames: [], others: [], bytes: 0, slot: -1, key: null, isSpoilt: false, db: null, guard: null, shas: [] },
});

const notInside = ({ command }: Call): string => `ERR Command '${command.name}' not allowed inside a transaction`;

const multi: Handler = (call) => {
  const { session, client } = call;
  if (session.transaction) {
    session.transaction.isSpoilt = true;
    return call.error(notInside(call));
  }
  session.transaction = newTransaction();
  client.isPlain = false;
  call.ok();
};

/** Takes a command into the transaction, or refuses it in the engine's words; EXEC is refused then. */
export function queueCommand(call: Call): void {
  const transaction = call.session.transaction!;
  const refusal = whyNotQueued(call, transaction);
  if (refusal !== null) {
    transaction.isSpoilt = true;
    if (call.command.policy.kind === 'route' || !refusal.startsWith("ERR '")) return call.error(refusal);
    // The engine would take it: the transaction ends with EXEC, as clients expect.
    transaction.impossible ??= refusal.slice('ERR '.length);
    call.client.reply('+QUEUED\r\n');
    return;
  }
  const { name } = call.command;
  if (name === 'msetex') transaction.guard = guardOf(transaction.key!);
  if (name === 'eval' || name === 'eval_ro') call.home.scripts.remember(call.arg(1));
  if (name === 'evalsha' || name === 'evalsha_ro') transaction.shas.push(call.text(1).toLowerCase());
  if (isForEnd(call)) queueForEnd(call, transaction);
  else transaction.frames.push(call.frame());
  transaction.bytes += call.to - call.from;
  call.client.count(call.to - call.from);
  call.client.reply('+QUEUED\r\n');
}

/** It is carried out behind what is for the node. */
const isForEnd = ({ command }: Call): boolean => canFollow(command) && !ANSWERED_BY_NODES.has(command.name);

/** A command that does nothing but make a node say whether it owns the key's slot. */
export const guardOf = (key: Buffer): Buffer => encodeCommand(['EXISTS', key]);

function whyNotQueued(call: Call, transaction: Transaction): string | null {
  const { command, home } = call;
  if ((command.facts.flags & FLAGS.no_multi) !== 0) return notInside(call);
  const { kind } = command.policy;
  if (kind === 'refuse') return `ERR '${command.name}' is not possible through the endpoint: ${command.policy.remedy}`;
  if (transaction.bytes + call.to - call.from > home.limits.transactionBytes) {
    return `ERR the transaction is larger than the limit of ${home.limits.transactionBytes} bytes`;
  }
  if (command.name === 'select') {
    transaction.db = Number(call.text(1));
    return null;
  }
  if (isForEnd(call)) return null;
  if (kind === 'own' && !ANSWERED_BY_NODES.has(command.name) && !command.name.startsWith('pubsub|')) {
    return `ERR '${command.name.replace('|', ' ')}' is answered by the endpoint and cannot be in a transaction: send it before MULTI`;
  }
  const behind = whyNotBehind(transaction);
  if (behind !== null) return behind;
  const found = slotOfKeys(call);
  if ('error' in found) return found.error;
  if (found.slot < 0) return null;
  const key = call.arg(found.key);
  if (transaction.slot >= 0 && transaction.slot !== found.slot) return crossSlot(transaction.key!, key);
  if (transaction.slot < 0) {
    transaction.slot = found.slot;
    transaction.key = Buffer.from(key);
  }
  return null;
}

const discard: Handler = (call) => {
  if (!call.session.transaction) return call.error('ERR DISCARD without MULTI');
  endTransaction(call.client);
  endWatch(call.client);
  call.ok();
};

/** Nothing is queued any more. */
export function endTransaction(client: Client): void {
  client.count(-(client.session.transaction?.bytes ?? 0));
  client.session.transaction = null;
  client.updatePlain();
}

const exec: Handler = (call) => {
  const { session, client } = call;
  const { transaction, watch } = session;
  if (!transaction) return call.error('ERR EXEC without MULTI');
  endTransaction(client);
  if (transaction.isSpoilt) {
    endWatch(client);
    const { impossible } = transaction;
    return call.error(impossible ? `EXECABORT Transaction discarded because of: ${impossible}` : ABORTED);
  }
  if (watch && (watch.isLost || watch.upstream.isClosed)) {
    session.watch = null;
    return call.answer(NULL_ARRAY);
  }
  const begin = (): void => new Run(client, transaction, watch).begin();
  if (transaction.others.length === 0) return begin();
  void runMixed(client, transaction, transaction.frames.length > 0 || watch ? begin : null);
};

/** Sends a transaction, as often as it takes. */
export class Run implements ReplyTaker {
  readonly #client: Client;
  readonly #transaction: Transaction;
  readonly #watch: Watch | null;
  readonly #parent: Entry;
  readonly #caching: Buffer | null;
  #lane: Lane;
  readonly #since = performance.now();
  /** The first error that a command met while it was queued at the node. */
  #queueError: Buffer | null = null;
  #missing = 0;
  #lost: Loss | null = null;
  #own: { upstream: Upstream; node: number } | null = null;
  /** It is one command of a client that knows nothing of a transaction: its reply is the reply. */
  readonly #isSingle: boolean;

  constructor(client: Client, transaction: Transaction, watch: Watch | null, isSingle = false) {
    this.#isSingle = isSingle;
    this.#client = client;
    this.#transaction = transaction;
    this.#watch = watch;
    this.#parent = client.enqueue();
    this.#lane = client.lane;
    this.#caching = cachingFrame(client.session.caching);
    client.hold();
  }

  begin(): void {
    // Apps' first user may do everything that a transaction takes; of others the engine is asked.
    if (this.#transaction.shas.length === 0 && this.#client.session.user === 'default') this.#sendAll();
    else void this.#prepare();
  }

  /**
   * A user who may not say MULTI is told so before anything is sent: behind a refused MULTI the node would carry out the
   * commands one by one. Scripts that are missing at the node are brought first.
   */
  async #prepare(): Promise<void> {
    const client = this.#client;
    const refusal = client.session.user === 'default' ? null : await refusalFor(client, 'MULTI');
    if (refusal !== null) {
      endWatch(client);
      return this.#end(encodeReply(refusal, client.session.resp));
    }
    const { shas, slot } = this.#transaction;
    if (shas.length > 0) await ensureScripts(client, slot, shas).catch(() => {}); // the node says what is missing
    this.#sendAll();
  }

  #sendAll(): void {
    const upstream = this.#way();
    if (upstream === null) return this.#later();
    const { frames, guard } = this.#transaction;
    this.#queueError = null;
    this.#lost = null;
    this.#missing = frames.length + (guard ? 3 : 2);
    if (this.#watch && this.#watch.db !== this.#client.session.db) {
      this.#watch.db = this.#client.session.db;
      upstream.sendSwallowed(encodeCommand(['SELECT', this.#watch.db]));
    }
    if (this.#caching) upstream.sendSwallowed(this.#caching);
    this.#send(upstream, MULTI, 0);
    if (guard) this.#send(upstream, guard, 1);
    for (const frame of frames) this.#send(upstream, frame, 1);
    this.#send(upstream, EXEC, 2);
  }

  /** The connection that watches; one of its own when the transaction changes its database; else the shared one. */
  #way(): Upstream | null {
    if (this.#watch) return this.#watch.upstream;
    const { map, sender } = this.#client.home;
    const node = this.#transaction.slot < 0 ? sender.home : map.owners[this.#transaction.slot]!;
    if (node < 0) return null;
    if (this.#transaction.db === null) return this.#lane.toPrimary(node);
    const upstream = this.#lane.borrow(node);
    this.#own = upstream && { upstream, node };
    return upstream;
  }

  #send(upstream: Upstream, bytes: Buffer, part: number): void {
    const entry = takeEntry();
    entry.taker = this;
    entry.part = part;
    upstream.send(entry, bytes, 0, bytes.length);
  }

  takesParts(): boolean {
    return false;
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number): void {
    const { part } = entry;
    finish(entry);
    this.#missing -= 1;
    if (part < 2) {
      if (bytes[from] === MINUS) this.#queueError ??= Buffer.from(bytes.subarray(from, to));
      return;
    }
    if (this.#queueError !== null && mayPass(this.#queueError)) return this.#later();
    // Another error of a command stands for itself in a transaction of one; of several, EXEC's own says it.
    const reply = Buffer.from(bytes.subarray(from, to));
    if (mayPass(reply)) return this.#later(); // the slot moved behind the last command and before EXEC
    if (this.#isSingle && this.#queueError !== null) this.#end(this.#queueError);
    else this.#end(this.#transaction.guard ? withoutGuard(reply, this.#isSingle) : reply);
  }

  takeLoss(entry: Entry, loss: Loss): void {
    finish(entry);
    this.#missing -= 1;
    this.#lost = loss === 'unanswered' ? loss : (this.#lost ?? loss);
    if (this.#missing > 0) return;
    // Nothing was carried out as long as the end of it was not sent.
    if (this.#watch)
      this.#end(loss === 'unsent' ? encodeReply(NULL_ARRAY, this.#client.session.resp) : OUTCOME_UNKNOWN);
    else if (loss === 'unsent') this.#later();
    else this.#end(OUTCOME_UNKNOWN);
  }

  #later(): void {
    this.#giveBack();
    this.#client.home.suspect();
    if (this.#watch || this.#client.isClosed) return this.#end(encodeReply(NULL_ARRAY, this.#client.session.resp));
    if (performance.now() - this.#since > this.#client.home.limits.waitMs)
      return this.#end(this.#queueError ?? NOBODY_SERVES);
    setTimeout(() => this.begin(), TRY_PAUSE_MS);
  }

  #giveBack(): void {
    this.#own?.upstream.close(); // its database is another one now
    this.#own = null;
  }

  #end(reply: Buffer): void {
    this.#giveBack();
    const client = this.#client;
    if (this.#watch) endWatch(client, false);
    const { db } = this.#transaction;
    if (db !== null && reply[0] !== MINUS) client.changeIdentity({ db });
    client.complete(this.#parent, reply);
    client.release();
  }
}

/** EXEC's array without the first element, the guard's `:n`; or the only other element of it. */
function withoutGuard(reply: Buffer, isSingle: boolean): Buffer {
  const head = /^\*(\d+)\r\n:\d+\r\n/.exec(reply.toString('latin1', 0, 32));
  if (head === null) return reply; // an error, or null
  const rest = reply.subarray(head[0].length);
  return isSingle ? rest : Buffer.concat([Buffer.from(`*${Number(head[1]) - 1}\r\n`), rest]);
}

const NOBODY_SERVES = Buffer.from(
  '-CLUSTERDOWN the slot of the transaction has no primary; nothing was done. Try again later\r\n',
);

const PASSING = ['-MOVED ', '-CLUSTERDOWN ', '-LOADING ', '-TRYAGAIN ', '-READONLY ', '-ASK ', '-MASTERDOWN '];
const mayPass = (error: Buffer): boolean => PASSING.some((code) => error.toString('latin1', 0, 16).startsWith(code));

const watch: Handler = (call) => {
  const { session, client, home } = call;
  if (session.transaction) {
    session.transaction.isSpoilt = true;
    return call.error(notInside(call));
  }
  const found = slotOfKeys(call);
  if ('error' in found) return call.error(found.error);
  const node = home.map.owners[found.slot]!;
  const known = session.watch;
  if (known && known.node !== node && !known.isLost) return call.error(crossSlot(known.key, call.arg(found.key)));
  const upstream = known?.upstream ?? (node < 0 ? null : client.lane.borrow(node));
  if (upstream === null)
    return call.error('CLUSTERDOWN the primary of these keys cannot be reached; nothing was done. Try again later');
  session.watch ??= {
    ...{ upstream, lane: client.lane, node, db: session.db, key: Buffer.from(call.arg(found.key)) },
    ...{ slot: found.slot, isLost: false, keys: new Set<string>() },
  };
  for (const key of call.args(1)) session.watch.keys.add(key.toString('latin1'));
  const entry = client.enqueue();
  entry.taker = {
    takesParts: () => false,
    takeReply: (one, bytes, from, to) => client.takeReply(one, bytes, from, to, true),
    // EXEC will say that keys may have been changed.
    takeLoss: (one) => {
      if (session.watch) session.watch.isLost = true;
      client.complete(one, Buffer.from('+OK\r\n'));
    },
  };
  if (upstream.isClosed) entry.taker.takeLoss(entry, 'unsent');
  else upstream.send(entry, call.bytes, call.from, call.to);
};

/** Nothing is watched any more; the connection goes back unless something of it is still under way. */
export function endWatch(client: Client, needsUnwatch = true): void {
  const { watch: ended } = client.session;
  client.session.watch = null;
  if (!ended || ended.upstream.isClosed) return;
  if (client.isClosed || ended.db !== ended.lane.identity.db) return ended.upstream.close();
  if (needsUnwatch) ended.upstream.sendSwallowed(UNWATCH);
  ended.lane.giveBack(ended.node, ended.upstream);
}

const unwatch: Handler = (call) => {
  endWatch(call.client);
  call.ok();
};

export const TRANSACTION_HANDLERS: Readonly<Record<string, Handler>> = { multi, exec, discard, watch, unwatch };
