/**
 * Replies of one connection that are withheld until replicas have what was written:
 *
 *     [ SET a | GET b | SET c | WAIT ]  ->  node        what comes meanwhile is gathered for the next batch
 *       kept    given   kept    n: all kept replies are given, or all are lost
 *
 * WAIT stands behind the writes on their own connection, since it covers what that connection wrote and nothing else.
 */
import { type Block, keepAside, releaseBlock } from './block.ts';
import { type Entry, freeEntry, READS_ONLY, type ReplyTaker, releaseEntryBlock, takeEntry } from './entry.ts';

const COLON = 0x3a;
const MINUS = 0x2d;

interface Kept {
  entry: Entry;
  block: Block;
  from: number;
  to: number;
  isLast: boolean;
}

export class Withheld implements ReplyTaker {
  /** A batch with writes is on its way, and replicas have not acknowledged it. */
  isOn = false;
  #count = 0;
  #kept: Kept[] = [];
  readonly #told: (isEnough: boolean) => void;

  /** `told`: what WAIT has answered; replies are given or lost by the one who is told. */
  constructor(told: (isEnough: boolean) => void) {
    this.#told = told;
  }

  /** A batch with writes ends with this entry: WAIT for so many replicas. */
  begin(count: number): Entry {
    this.isOn = true;
    this.#count = count;
    const entry = takeEntry();
    entry.taker = this;
    entry.flags = READS_ONLY; // its own answer is not withheld
    return entry;
  }

  /** Whether the reply to this command has to wait. */
  concerns(entry: Entry): boolean {
    return this.isOn && (entry.flags & READS_ONLY) === 0;
  }

  /** Keeps a reply, or the reply to one of several commands that travel as one entry. */
  keep(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void {
    entry.taker.withheld?.(entry, to - from);
    const block = keepAside(bytes, from, to);
    this.#kept.push({ entry, block, from: block.used - (to - from), to: block.used, isLast });
  }

  /** Replicas have it: everybody gets what was kept, in order. */
  give(): void {
    for (const { entry, block, from, to, isLast } of this.#take()) {
      entry.taker.takeReply(entry, block.bytes, from, to, isLast);
      releaseBlock(block);
    }
  }

  /** Nobody knows whether replicas have it. An error is given all the same: it promises nothing. */
  lose(): void {
    for (const { entry, block, from, to, isLast } of this.#take()) {
      if (!isLast) entry.expects += 1;
      else if (entry.expects === 1 && block.bytes[from] === MINUS) {
        entry.taker.takeReply(entry, block.bytes, from, to, true);
      } else entry.taker.takeLoss(entry, 'unanswered');
      releaseBlock(block);
    }
  }

  #take(): Kept[] {
    const kept = this.#kept;
    this.#kept = [];
    this.isOn = false;
    return kept;
  }

  takesParts(): boolean {
    return false;
  }

  takeReply(entry: Entry, bytes: Buffer, from: number, to: number): void {
    this.#free(entry);
    // An error says that the node is no primary any more.
    this.#told(bytes[from] === COLON && Number(bytes.toString('latin1', from + 1, to - 2)) >= this.#count);
  }

  takeLoss(entry: Entry): void {
    this.#free(entry);
  }

  #free(entry: Entry): void {
    releaseEntryBlock(entry);
    freeEntry(entry);
  }
}
