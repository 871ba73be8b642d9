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

const MINUS = 0x2d;

/** How many replicas acknowledged; or the node is no primary any more, which it answers with an error. */
export type WaitAnswer = 'enough' | 'too few' | 'replaced';

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
  /** How many such batches there were. */
  batch = 0;
  #count = 0;
  #kept: Kept[] = [];
  readonly #told: (answer: WaitAnswer) => void;

  /** `told`: what WAIT has answered; replies are given or lost by the one who is told. */
  constructor(told: (answer: WaitAnswer) => void) {
    this.#told = told;
  }

  /** A batch with writes ends with this entry: WAIT for so many replicas. */
  begin(count: number): Entry {
    this.isOn = true;
    this.batch += 1;
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
    if (bytes[from] === MINUS) this.#told('replaced');
    else this.#told(Number(bytes.toString('latin1', from + 1, to - 2)) >= this.#count ? 'enough' : 'too few');
  }

  takeLoss(entry: Entry): void {
    this.#free(entry);
  }

  #free(entry: Entry): void {
    releaseEntryBlock(entry);
    freeEntry(entry);
  }
}
