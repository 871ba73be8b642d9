/**
 * What one client is subscribed to, on connections of its own (RESP3, as its user):
 *
 *     channels, patterns          at the home, the owner of the first slot, where PUBLISH goes and PUBSUB is asked, too: the
 *                                 numbers and the order of messages are those of one server, whatever endpoint is used
 *     channels and patterns of    at every primary besides: such events stay within their node. Of anything else that
 *     keyspace events             a pattern matches there only the home's copy counts (the cluster sends it to all)
 *     sharded channels            at the owner of their slot
 *
 * What is wanted is compared with what every connection has, whenever a slot gets another owner or a connection is lost,
 * until both are the same. When the home moves nothing is lost (see handover.ts); when it dies, what is published until
 * there is another one is, as on a reconnect. A message that somebody publishes by hand to a channel of keyspace events
 * comes from every primary.
 */
import { encodeCommand } from '../resp/encode.ts';
import type { Client } from './client.ts';
import { type Entry, takeEntry } from './entry.ts';
import { Handover } from './handover.ts';
import type { Lane } from './lane.ts';
import { finish } from './sender.ts';
import type { SubscriptionCount } from './session.ts';
import {
  bytesOf,
  COMMANDS,
  isEvent,
  type Kind,
  type MessageHead,
  type Names,
  noNames,
  placesOf,
  readPush,
  SubscriptionLink,
  slotOfName,
} from './subscription-link.ts';
import { Wakeup } from './wakeup.ts';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;
/** A client that could not hear for this many times the longest wait of a command is closed, so that it knows. */
const DEAF_WAITS = 3;
/** How long the end of a subscription is waited for: the client hears nothing of it anyway. */
const END_MS = 1_000;
/** How long two homes are heard: longer than a message takes from one to the other. */
const BOTH_MS = 50;
const STAR = 0x2a;

export class Subscriptions implements SubscriptionCount {
  readonly #client: Client;
  /** What it is subscribed to; changed by `add` and `remove` only. */
  readonly wanted: Names = noNames();
  readonly #links = new Map<number, SubscriptionLink>();
  #lane: Lane;
  /** The node whose messages count; -1 before the first. */
  #home = -1;
  #handover: Handover | null = null;
  /** Names whose confirmation the client has not seen, and messages for them. */
  #joining: { kind: Kind; names: Set<string>; messages: Buffer[] } | null = null;
  /** The engine's error for what is being added. */
  #refusal: string | null = null;
  /** Something that is wanted has no connection that could be made. */
  #isMissing = false;
  #deafSince = 0;
  #timer: NodeJS.Timeout | null = null;
  #pauseMs = FIRST_PAUSE_MS;
  readonly #wakeup = new Wakeup();
  #isClosed = false;

  constructor(client: Client) {
    this.#client = client;
    this.#lane = this.#openLane();
  }

  get count(): number {
    return this.channels + this.patterns + this.shardChannels;
  }

  get channels(): number {
    return this.wanted.channels.size;
  }

  get patterns(): number {
    return this.wanted.patterns.size;
  }

  get shardChannels(): number {
    return this.wanted.shards.size;
  }

  // --- What the client asks for ----------------------------------------------------------------------------------

  /**
   * Subscribes to names that it does not have; messages of these are kept until `joined`.
   * @returns the error, when nothing was added
   */
  async add(kind: Kind, fresh: readonly string[]): Promise<string | null> {
    if (fresh.length === 0) return null;
    this.#useIdentity();
    this.#refusal = null;
    this.#joining = { kind, names: new Set(fresh), messages: [] };
    for (const name of fresh) this.wanted[kind].add(name);
    if (this.#isMissing) this.#sync();
    else this.#extend(kind, fresh);
    const { waitMs } = this.#client.home.limits;
    const settled = await this.#wakeup.until(() => this.#isSettled, waitMs);
    const error =
      this.#refusal ?? (settled ? null : `CLUSTERDOWN no subscription within ${waitMs / 1000} s; try again later`);
    this.#refusal = null;
    if (error === null) return null;
    this.#joining = null;
    for (const name of fresh) this.wanted[kind].delete(name);
    this.#sync();
    return error;
  }

  /** The client has seen the confirmations. */
  joined(): void {
    const { messages } = this.#joining ?? { messages: [] };
    this.#joining = null;
    for (const message of messages) this.#client.push(message, 0, message.length);
  }

  /** Ends subscriptions; nothing of them reaches the client any more. */
  async remove(kind: Kind, names: readonly string[]): Promise<void> {
    for (const name of names) this.wanted[kind].delete(name);
    for (const link of this.#links.values()) this.#step(link, kind, names, false);
    await this.#wakeup.until(() => this.#isSettled, END_MS);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#links.clear();
    this.#client.home.leaveLane(this.#lane);
    this.#wakeup.tell();
  }

  // --- What the nodes are told -----------------------------------------------------------------------------------

  #openLane(): Lane {
    const { home, session } = this.#client;
    return home.openOwnLane({ user: session.user, password: session.password, db: 0, resp: 3 }, () => [], {
      push: (bytes, from, to, node) => this.#pushed(bytes, from, to, node),
      lost: (node) => {
        if (!this.#links.delete(node)) return;
        this.#moveHome();
        this.#syncLater();
      },
      mapChanged: () => this.#sync(),
      onlyListens: true,
    });
  }

  /** The client has become another user: the engine is to judge what that one may hear. */
  #useIdentity(): void {
    const { session, home } = this.#client;
    const { user, password } = this.#lane.identity;
    if (user === session.user && password === session.password) return;
    const before = this.#lane;
    this.#links.clear();
    this.#home = -1;
    this.#lane = this.#openLane();
    home.leaveLane(before);
    this.#sync();
  }

  /** Adds names where they belong; the rest is as it should be. */
  #extend(kind: Kind, names: readonly string[]): void {
    const { map, sender } = this.#client.home;
    for (const [node, wanted] of placesOf(kind, names, map, sender.home)) {
      const link = this.#linkTo(node);
      if (link === null) return this.#sync();
      this.#step(link, kind, wanted, true);
    }
    if (kind !== 'shards' && this.#home !== sender.home) this.#sync();
  }

  /** Compares what every connection has with what is wanted, and tells the nodes of the difference. */
  #sync(): void {
    if (this.#isClosed || this.#client.isClosed) return;
    const { map, sender } = this.#client.home;
    const target = sender.home;
    const perNode = new Map<number, Names>();
    for (const kind of ['channels', 'patterns', 'shards'] as const) {
      for (const [node, names] of placesOf(kind, this.wanted[kind], map, target)) {
        if (!perNode.has(node)) perNode.set(node, noNames());
        perNode.get(node)![kind] = new Set(names);
      }
    }
    this.#isMissing = false;
    let isDeaf = false;
    for (const [node, names] of perNode) {
      const link = this.#linkTo(node);
      if (link === null) {
        this.#isMissing = true;
        isDeaf ||= node === target || node < 0 || names.shards.size > 0;
      } else this.#tellDifference(link, names);
    }
    for (const [node, link] of this.#links) {
      if (!perNode.has(node) && !this.#isOldHome(node)) this.#tellDifference(link, noNames());
    }
    this.#noteDeaf(isDeaf);
    if (this.#isMissing) this.#syncLater();
    this.#moveHome();
    this.#wakeup.tell();
  }

  /** Still to be heard. */
  #isOldHome(node: number): boolean {
    return node === this.#home && node !== this.#client.home.sender.home && this.#handover?.stage !== 'leaving';
  }

  #tellDifference(link: SubscriptionLink, names: Names): void {
    for (const kind of ['channels', 'patterns', 'shards'] as const) {
      const has = [...link.have[kind]];
      if (!this.#isOldHome(link.node) || kind === 'shards')
        this.#step(
          link,
          kind,
          has.filter((name) => !names[kind].has(name)),
          false,
        );
      this.#step(link, kind, names[kind], true);
    }
  }

  /** Another node is the home: the one before is heard until nothing can be lost. */
  #moveHome(): void {
    const target = this.#client.home.sender.home;
    const link = this.#links.get(target);
    const old = this.#links.get(this.#home);
    if (this.#home === target) this.#handover = null;
    else if (link && !old) this.#homeMoved(target);
    else if (link && old) {
      if (this.#handover?.node !== target) this.#handover = new Handover(target);
      const handover = this.#handover;
      if (handover.stage === 'joining' && link.pending === 0) {
        handover.stage = 'both';
        setTimeout(() => {
          handover.stage = 'leaving';
          this.#sync();
        }, BOTH_MS);
      } else if (handover.stage === 'leaving' && old.pending === 0) this.#homeMoved(target);
    }
  }

  #homeMoved(target: number): void {
    const messages = this.#handover?.rest() ?? [];
    this.#handover = null;
    const isFirst = this.#home < 0;
    this.#home = target;
    for (const { push, bytes } of messages) {
      if (this.wanted[push.kind].has(push.name)) this.#deliver(push, bytes, 0, bytes.length);
    }
    if (!isFirst) this.#sync();
  }

  #noteDeaf(isDeaf: boolean): void {
    if (!isDeaf) this.#deafSince = 0;
    else if (this.#deafSince === 0) this.#deafSince = performance.now();
    else if (performance.now() - this.#deafSince > DEAF_WAITS * this.#client.home.limits.waitMs) this.#client.close();
  }

  #syncLater(): void {
    if (this.#timer || this.#isClosed) return;
    this.#isMissing = true;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#sync();
    }, this.#pauseMs);
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 1.5);
  }

  #linkTo(node: number): SubscriptionLink | null {
    if (node < 0) return null;
    const known = this.#links.get(node);
    if (known) return known;
    const upstream = this.#lane.toPrimary(node);
    if (upstream === null) {
      if (this.#lane.refusal !== null) this.#refused(this.#lane.refusal);
      return null;
    }
    const link = new SubscriptionLink(node, upstream);
    this.#links.set(node, link);
    return link;
  }

  /** Tells the node of those names that it does not have yet, or has still: sharded ones in a command a slot. */
  #step(link: SubscriptionLink, kind: Kind, all: Iterable<string>, isAdding: boolean): void {
    const names = [...all].filter((name) => link.have[kind].has(name) !== isAdding);
    if (names.length === 0) return;
    if (kind !== 'shards') return this.#send(link, kind, names, isAdding);
    for (const some of Map.groupBy(names, slotOfName).values()) this.#send(link, kind, some, isAdding);
  }

  #send(link: SubscriptionLink, kind: Kind, names: readonly string[], isAdding: boolean): void {
    for (const name of names) {
      if (isAdding) link.have[kind].add(name);
      else link.have[kind].delete(name);
    }
    if (link.upstream.isClosed) return; // told of in a moment
    const entry = takeEntry();
    entry.taker = {
      takesParts: () => false,
      takeReply: (one, bytes, from, to) => {
        const error = bytes[from] === 0x2d ? bytes.toString('utf8', from + 1, to - 2) : null;
        this.#answered(link, one);
        if (error === null) this.#pauseMs = FIRST_PAUSE_MS;
        else if (isAdding) this.#failed(link, kind, names, error);
        if (link.pending === 0) this.#moveHome();
        this.#dropIdle(link);
        this.#wakeup.tell();
      },
      takeLoss: (one) => {
        this.#answered(link, one);
        this.#wakeup.tell();
      },
    };
    link.pending += 1;
    link.upstream.sendPushed(entry, encodeCommand([COMMANDS[kind][isAdding ? 0 : 1], ...names.map(bytesOf)]));
  }

  /** A connection that is needed no more. */
  #dropIdle(link: SubscriptionLink): void {
    const { channels, patterns, shards } = link.have;
    if (link.pending > 0 || channels.size + patterns.size + shards.size > 0) return;
    if (link.node === this.#client.home.sender.home || this.#links.get(link.node) !== link) return;
    this.#links.delete(link.node);
    link.upstream.close();
  }

  #answered(link: SubscriptionLink, entry: Entry): void {
    link.pending -= 1;
    finish(entry);
  }

  #failed(link: SubscriptionLink, kind: Kind, names: readonly string[], error: string): void {
    for (const name of names) link.have[kind].delete(name);
    const [code, slot, address] = error.split(' ');
    if (code === 'NOPERM' || code === 'ERR') this.#refused(error);
    const { map } = this.#client.home;
    const colon = address?.lastIndexOf(':') ?? -1;
    const owner = code === 'MOVED' ? map.at(address!.slice(0, colon), Number(address!.slice(colon + 1))) : undefined;
    if (owner) map.moved(Number(slot), owner);
    this.#client.home.suspect();
    this.#syncLater();
  }

  /** What the client asks for now is refused; or else what it had: the engine would close it, too. */
  #refused(error: string): void {
    if (this.#joining) this.#refusal ??= error;
    else if (/^(NOPERM|NOAUTH|WRONGPASS) /.test(error)) this.#client.close();
  }

  // --- Waiting ---------------------------------------------------------------------------------------------------

  get #isSettled(): boolean {
    if (this.#isClosed || this.#client.isClosed) return true;
    for (const link of this.#links.values()) if (link.pending > 0) return false;
    if (this.#refusal !== null) return true;
    return !this.#isMissing || this.#hasAllItCanHave();
  }

  /** Nothing is missing but at nodes that cannot be reached, whose keyspace events cannot be heard anyway. */
  #hasAllItCanHave(): boolean {
    const { map, sender } = this.#client.home;
    const { channels, patterns, shards } = this.wanted;
    const atHome = this.#links.get(sender.home)?.have ?? noNames();
    if (channels.size > atHome.channels.size || patterns.size > atHome.patterns.size) return false;
    return [...shards].every((name) => this.#links.get(map.owners[slotOfName(name)]!)?.have.shards.has(name));
  }

  // --- What the nodes say ----------------------------------------------------------------------------------------

  #pushed(bytes: Buffer, from: number, to: number, node: number): void {
    const push = readPush(bytes, from, to);
    if (push === null) return;
    if (push.kind === 'ended') {
      // Nobody asked for it: the channel's slot has another owner.
      if (!this.#links.get(node)?.have.shards.delete(push.name)) return;
      this.#client.home.suspect();
      this.#syncLater();
      return;
    }
    if (!this.#links.has(node) || !this.wanted[push.kind].has(push.name)) return;
    if (push.kind !== 'shards' && !isEvent(push.channel)) {
      if (node === this.#handover?.node) return this.#handover.keep(push, Buffer.from(bytes.subarray(from, to)));
      if (node !== this.#home) return;
      this.#handover?.tell(bytes.subarray(from, to));
    }
    this.#deliver(push, bytes, from, to);
  }

  #deliver(push: MessageHead, bytes: Buffer, from: number, to: number): void {
    if (this.#client.session.resp === 2) bytes[from] = STAR;
    if (this.#joining?.kind === push.kind && this.#joining.names.has(push.name)) {
      this.#joining.messages.push(Buffer.from(bytes.subarray(from, to)));
    } else this.#client.push(bytes, from, to);
  }
}
