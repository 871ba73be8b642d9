/**
 * A call of a script or a function that its node may not have, though others do: a primary that is new, was replaced or
 * has started again. What is missing is brought there, and the call is sent again; its client takes no further command
 * meanwhile, so that the order of its commands stays what it was.
 *
 *     first call over a connection -> the client waits for this one reply -> known there: from now on nobody waits
 *     "missing" -> brought from here or from another primary -> the same call again, to the owner of the slot
 *
 * A call without keys goes to one primary, always the same. When its script then uses a key that it has not declared and
 * that lies elsewhere, the node ends it at that point: it is called at the other primaries, one after the other.
 */
import type { RunningScript } from './busy.ts';
import type { Client } from './client.ts';
import type { Entry, Loss, ReplyTaker } from './entry.ts';
import { READS_ONLY, releaseEntryBlock } from './entry.ts';
import { slotsOfPrimaries } from './gather.ts';
import type { Lane } from './lane.ts';
import { OUTCOME_UNKNOWN } from './sender.ts';
import type { Upstream } from './upstream.ts';

const MINUS = 0x2d;
const MAX_CURES = 3;
/** How the error begins for a key that a script uses and that is not its node's. */
const ELSEWHERE = Buffer.from('-ERR Attempted to access a non local key in a cluster node');

export interface Cure {
  /** What is called, as it is remembered of a connection. */
  name: string;
  /** How the error begins that says that it is missing; '' for a call that brings its script with it. */
  missing: string;
  /** Brings it to the owner of the slot. @returns whether it was found anywhere */
  bring(client: Client, slot: number): Promise<boolean>;
}

export class HealedCall implements ReplyTaker {
  readonly #client: Client;
  readonly #cure: Cure;
  /** -1 for a call without keys; then of the primary where it is tried next. */
  #slot: number;
  /** Of a call without keys: slots of the primaries where it was not tried yet. */
  #others: number[] | null = null;
  /** Where it was sent to at first. */
  #upstream: Upstream | null = null;
  #isHeld = false;
  #running: RunningScript | null = null;
  #cures = 0;

  constructor(client: Client, cure: Cure, slot: number) {
    this.#client = client;
    this.#cure = cure;
    this.#slot = slot;
  }

  /** Sends the call; to a primary, since replicas have no scripts of their own. */
  begin(readsOnly: boolean, bytes: Buffer, from: number, to: number): void {
    const client = this.#client;
    const { map, sender, scripts } = client.home;
    const owner = this.#slot < 0 ? sender.home : map.owners[this.#slot]!;
    this.#running = client.home.busy.begin(owner);
    this.#upstream = owner < 0 ? null : client.lane.toPrimary(owner);
    const entry = client.enqueue();
    entry.taker = this;
    entry.slot = this.#slot;
    if (readsOnly) entry.flags |= READS_ONLY | client.besideFlag;
    const { missing, name } = this.#cure;
    if (missing !== '' && (this.#upstream === null || !scripts.isKnownAt(this.#upstream, name))) this.#hold();
    client.adds(entry, to - from);
    sender.send(entry, client.lane, bytes, from, to);
  }

  takesParts(entry: Entry, gathered: number): boolean {
    return this.#client.takesParts(entry, gathered);
  }

  withheld(entry: Entry, bytes: number): void {
    this.#client.withheld(entry, bytes);
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    const client = this.#client;
    if (bytes[from] === MINUS && !entry.isStreaming) {
      const { missing } = this.#cure;
      const isMissing =
        missing !== '' && bytes.toString('latin1', from + 1, Math.min(to, from + 1 + missing.length)) === missing;
      if (isMissing && entry.lane !== null && this.#cures < MAX_CURES) {
        this.#cures += 1;
        return this.#heal(entry, Buffer.from(bytes.subarray(from, to)));
      }
      if (client.home.sender.again(entry, bytes, from, to)) return;
      if (this.#isElsewhere(entry, bytes, from, to) && this.#callElsewhere(entry)) return;
    } else if (isLast && this.#upstream !== null && entry.tries === 1) {
      client.home.scripts.knownAt(this.#upstream, this.#cure.name);
    }
    this.#give(entry, bytes, from, to, isLast);
  }

  takeLoss(entry: Entry, loss: Loss): void {
    if (this.#client.home.sender.lost(entry, loss)) return;
    if (!entry.isStreaming) return this.#give(entry, OUTCOME_UNKNOWN, 0, OUTCOME_UNKNOWN.length, true);
    this.#ended();
    this.#client.takeLoss(entry, loss); // ends the client: a part of the reply is gone already
    this.#release();
  }

  #give(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    entry.lane = null; // final
    if (isLast) this.#ended();
    this.#client.takeReply(entry, bytes, from, to, isLast);
    if (isLast) this.#release();
  }

  #isElsewhere(entry: Entry, bytes: Buffer, from: number, to: number): boolean {
    if (entry.lane === null || (this.#slot >= 0 && this.#others === null)) return false;
    return (
      to - from > ELSEWHERE.length && bytes.compare(ELSEWHERE, 0, ELSEWHERE.length, from, from + ELSEWHERE.length) === 0
    );
  }

  /** @returns whether there is another primary */
  #callElsewhere(entry: Entry): boolean {
    const client = this.#client;
    const { map, sender } = client.home;
    this.#others ??= slotsOfPrimaries(client).filter((slot) => map.owners[slot] !== sender.home);
    const next = this.#others.shift();
    if (next === undefined) return false;
    this.#hold();
    this.#slot = next;
    entry.slot = next;
    const frame = this.#takeFrame(entry);
    sender.send(entry, entry.lane as Lane, frame, 0, frame.length);
    return true;
  }

  #takeFrame(entry: Entry): Buffer {
    const frame = Buffer.from(entry.block!.bytes.subarray(entry.start, entry.end));
    releaseEntryBlock(entry);
    return frame;
  }

  /** The answer was "missing". */
  #heal(entry: Entry, error: Buffer): void {
    const client = this.#client;
    const { lane } = entry;
    const frame = this.#takeFrame(entry);
    this.#hold();
    this.#cure
      .bring(client, this.#slot)
      .catch(() => false)
      .then((wasFound) => {
        if (wasFound && !client.isClosed) client.home.sender.send(entry, lane as Lane, frame, 0, frame.length);
        else this.#give(entry, error, 0, error.length, true);
      });
  }

  #ended(): void {
    if (this.#running) this.#client.home.busy.end(this.#running);
    this.#running = null;
  }

  #hold(): void {
    if (this.#isHeld) return;
    this.#isHeld = true;
    this.#client.hold();
  }

  #release(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    this.#client.release();
  }
}
