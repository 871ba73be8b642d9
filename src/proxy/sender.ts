/**
 * Brings a command to the node that owns its slot, however often the owner changes on the way:
 *
 *     send -> owner's connection -> answer
 *       |         MOVED, ASK -> the other node
 *       |         CLUSTERDOWN, LOADING, READONLY ... -> waits, again
 *       |         connection lost -> unsent or only reading: waits, again; else its client is told
 *       '-> no owner, or not reachable: waits for the slot map or the connection, bounded in time, number and bytes
 */
import { SLOT_COUNT } from '../domain/slots.ts';
import { encodeCommand } from '../resp/encode.ts';
import { releaseBlock, wrapBlock } from './block.ts';
import {
  BESIDE,
  CACHING_NO,
  CACHING_YES,
  type Entry,
  freeEntry,
  type Loss,
  READS_ONLY,
  releaseEntryBlock,
} from './entry.ts';
import type { Lane } from './lane.ts';
import type { Limits } from './limits.ts';
import type { NodePlace, SlotMap } from './slot-map.ts';
import type { Upstream } from './upstream.ts';
import { Waits } from './waits.ts';

/** Whoever owns it is where commands without a key go. */
const HOME_SLOT = 0;
/** Between two looks at what waits, when nothing else wakes it. */
const WAIT_STEP_MS = 20;
/** Redirections of one command, one after the other without a pause. */
const MAX_REDIRECTIONS = 8;

/** First words of errors that pass by themselves. */
const PASSING = new Set(['CLUSTERDOWN', 'LOADING', 'MASTERDOWN', 'READONLY', 'TRYAGAIN']);

export interface SenderCounts {
  redirections: number;
  waited: number;
  unknownOutcomes: number;
  refusedWaits: number;
}

/** Which copy answers a read; null: the primary. */
export type ChooseReplica = (slot: number, primary: number) => number | null;

export class Sender {
  readonly counts: SenderCounts = { redirections: 0, waited: 0, unknownOutcomes: 0, refusedWaits: 0 };
  readonly waits = new Waits();
  readonly #map: SlotMap;
  readonly #limits: Limits;
  /** The slot map may be wrong: it is to be asked for. */
  readonly #suspect: () => void;
  readonly #chooseReplica: ChooseReplica;
  #waiting: Entry[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(map: SlotMap, limits: Limits, suspect: () => void, chooseReplica: ChooseReplica) {
    this.#map = map;
    this.#limits = limits;
    this.#suspect = suspect;
    this.#chooseReplica = chooseReplica;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Where commands without a key go, and where publishers and subscribers meet: the owner of the first slot. */
  get home(): number {
    return this.#map.owners[HOME_SLOT]!;
  }

  /** Sends the command that lies in these bytes. `entry` has slot, flags, taker and holder; `lane` is where it goes. */
  send(entry: Entry, lane: Lane, bytes: Buffer, from: number, to: number): void {
    entry.lane = lane;
    const upstream = this.#wayOf(entry, lane);
    if (upstream !== null) {
      if ((entry.flags & (CACHING_YES | CACHING_NO)) !== 0) sendCaching(entry, upstream);
      upstream.send(entry, bytes, from, to);
    } else {
      // Not a block of the usual size: many small commands may wait.
      entry.block = wrapBlock(Buffer.from(bytes.subarray(from, to)));
      entry.start = 0;
      entry.end = to - from;
      this.#wait(entry);
    }
  }

  /** The connection to the primary of a slot, for commands with these flags; null when there is none now. */
  wayTo(slot: number, lane: Lane, flags: number): Upstream | null {
    const owner = this.#map.owners[slot]!;
    if (owner < 0) return null;
    return (flags & BESIDE) === 0 ? lane.toPrimary(owner) : lane.toPrimaryBeside(owner);
  }

  #ownerOf({ slot }: Entry): number {
    return this.#map.owners[slot < 0 ? HOME_SLOT : slot]!;
  }

  #wayOf(entry: Entry, lane: Lane): Upstream | null {
    const owner = this.#ownerOf(entry);
    if (owner < 0) return null;
    if ((entry.flags & (READS_ONLY | FROM_REPLICA)) === (READS_ONLY | FROM_REPLICA)) {
      const replica = this.#chooseReplica(entry.slot, owner);
      const upstream = replica === null ? null : lane.toReplica(replica);
      if (upstream !== null) return upstream;
    }
    return (entry.flags & BESIDE) === 0 ? lane.toPrimary(owner) : lane.toPrimaryBeside(owner);
  }

  /**
   * What to do with an error reply.
   * @returns whether the command was sent again; else the error is the reply
   */
  again(entry: Entry, bytes: Buffer, from: number, to: number): boolean {
    if (entry.lane === null || entry.isStreaming) return false;
    const lane = laneOf(entry);
    const second = bytes[from + 1];
    // Errors of everyday life begin with E, W or N: nothing to look at more closely.
    if (second === 0x45 || second === 0x57 || second === 0x4e) return false;
    const text = bytes.toString('latin1', from + 1, to - 2);
    const [code, slot, address] = text.split(' ');
    if (code === 'MOVED' || code === 'ASK') return this.#redirect(entry, lane, code, Number(slot), address ?? '');
    // A blocked client is let go when its node is no primary any more; CLIENT UNBLOCK says it in other words.
    if (!PASSING.has(code!) && !text.startsWith('UNBLOCKED force')) return false;
    this.#suspect();
    if (this.#isLate(entry)) return false;
    this.#wait(entry);
    return true;
  }

  #redirect(entry: Entry, lane: Lane, code: string, slot: number, address: string): boolean {
    this.counts.redirections += 1;
    this.#suspect();
    const colon = address.lastIndexOf(':');
    const node = this.#map.at(address.slice(0, colon), Number(address.slice(colon + 1)));
    if (this.#isLate(entry)) return false;
    if (!node || entry.tries > MAX_REDIRECTIONS || !(slot >= 0 && slot < SLOT_COUNT)) {
      entry.tries = 0;
      this.#wait(entry);
      return true;
    }
    if (code === 'MOVED') this.#map.moved(slot, node);
    const upstream = lane.toPrimary(node.index);
    if (upstream === null) {
      this.#wait(entry);
      return true;
    }
    this.#hold(entry);
    if (code === 'ASK') upstream.ask();
    this.#resend(entry, upstream);
    return true;
  }

  /**
   * There will be no answer to the command.
   * @returns whether it is sent again, or answered with why not; else its client must be told that nobody knows what
   * came of it
   */
  lost(entry: Entry, loss: Loss): boolean {
    const mayRepeat = entry.lane !== null && (loss === 'unsent' || (entry.flags & READS_ONLY) !== 0);
    if (!mayRepeat || entry.isStreaming) {
      if (loss === 'unanswered') this.counts.unknownOutcomes += 1;
      return false;
    }
    if (this.#isLate(entry)) this.#giveUp(entry);
    else this.#wait(entry);
    return true;
  }

  /** What waits is looked at now: a connection or another slot map has come. */
  wake(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    const now = performance.now();
    for (const entry of waiting) {
      const upstream = this.#wayOf(entry, laneOf(entry));
      if (upstream !== null) {
        const heldMs = now - (entry.deadline - this.#limits.waitMs);
        this.waits.ended(this.#ownerOf(entry), heldMs, now);
        this.#resend(entry, upstream);
      } else if (now > entry.deadline || entry.lane!.refusal !== null) this.#giveUp(entry);
      else this.#keep(entry);
    }
  }

  /** Nothing waits any more: everybody is told. */
  close(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#timer) clearTimeout(this.#timer);
    for (const entry of waiting) this.#giveUp(entry);
  }

  #isLate(entry: Entry): boolean {
    const now = performance.now();
    if (entry.deadline === 0) entry.deadline = now + this.#limits.waitMs;
    return now > entry.deadline;
  }

  #resend(entry: Entry, upstream: Upstream): void {
    if ((entry.flags & (CACHING_YES | CACHING_NO)) !== 0) sendCaching(entry, upstream);
    upstream.send(entry, entry.block!.bytes, entry.start, entry.end); // the entry holds another block afterwards
  }

  #hold(entry: Entry): void {
    if (entry.isRepeated) return;
    entry.isRepeated = true;
    entry.holder?.hold();
  }

  #wait(entry: Entry): void {
    this.#isLate(entry); // begins its time
    this.#hold(entry);
    this.counts.waited += 1;
    const size = entry.end - entry.start;
    const { waitingCommands, waitingBytes } = this.#limits;
    if (this.#waiting.length >= waitingCommands || this.#waitingBytes + size > waitingBytes) {
      this.counts.refusedWaits += 1;
      this.#giveUp(entry, 'CLUSTERDOWN too many commands, or bytes of them, wait for a node');
      return;
    }
    this.#keep(entry);
  }

  #keep(entry: Entry): void {
    this.#waiting.push(entry);
    this.#waitingBytes += entry.end - entry.start;
    this.#suspect();
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.wake();
    }, WAIT_STEP_MS);
  }

  #giveUp(entry: Entry, reason = this.#reasonOf(entry)): void {
    const { refusal } = entry.lane!;
    const text = refusal ?? `${reason}; nothing was done. Try again later`;
    const reply = Buffer.from(`-${text}\r\n`);
    entry.lane = null; // final
    entry.taker.takeReply(entry, reply, 0, reply.length, true);
  }

  #reasonOf(entry: Entry): string {
    const { slot, flags } = entry;
    const owner = this.#ownerOf(entry);
    const seconds = this.#limits.waitMs / 1000;
    if (owner < 0) return `CLUSTERDOWN nobody serves slot ${slot}`;
    const { host, port } = this.#map.nodes[owner] as NodePlace;
    if ((flags & BESIDE) === 0 && laneOf(entry).lacksReplicas(owner)) {
      return `NOREPLICAS the primary ${host}:${port} had too few replicas that acknowledge for ${seconds} s`;
    }
    return `CLUSTERDOWN the primary ${host}:${port} could not be reached for ${seconds} s`;
  }
}

const CACHING_FRAMES = {
  yes: encodeCommand(['CLIENT', 'CACHING', 'YES']),
  no: encodeCommand(['CLIENT', 'CACHING', 'NO']),
};

/** What CLIENT CACHING said holds for the next command of the connection. */
function sendCaching({ flags }: Entry, upstream: Upstream): void {
  upstream.sendSwallowed((flags & CACHING_YES) !== 0 ? CACHING_FRAMES.yes : CACHING_FRAMES.no);
}

/** CLIENT CACHING as the client said it; null when it did not. */
export const cachingFrame = (caching: 'yes' | 'no' | null): Buffer | null => caching && CACHING_FRAMES[caching];

/** The flag of an entry for what the client said with CLIENT CACHING. */
export const cachingFlag = (caching: 'yes' | 'no' | null): number => {
  if (caching === null) return 0;
  return caching === 'yes' ? CACHING_YES : CACHING_NO;
};

/** Reads of this command may go to a replica. */
export const FROM_REPLICA = 4;

/** The error for a command that a node may or may not have carried out before it vanished. */
export const OUTCOME_UNKNOWN = Buffer.from(
  '-UNKNOWNOUTCOME the server was lost before it answered; the command may or may not have been carried out\r\n',
);

/** Of an entry that may be sent again. Entries know lanes by less, so that the files do not import each other. */
const laneOf = (entry: Entry): Lane => entry.lane as Lane;

/** The command is over: its bytes go back, whoever waited for it goes on. The entry must not be used afterwards. */
export function finish(entry: Entry): void {
  releaseEntryBlock(entry);
  if (entry.reply !== null) releaseBlock(entry.reply);
  const holder = entry.isRepeated ? entry.holder : null;
  freeEntry(entry);
  holder?.release();
}
