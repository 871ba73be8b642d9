/**
 * A command on its way: the one object that stands for it in its client's queue, which keeps the order of replies, and
 * in a node's queue, which keeps the order of answers. Entries are used again.
 */
import { type Block, releaseBlock } from './block.ts';

/** Who is told what came of a command. */
export interface ReplyTaker {
  /**
   * Bytes of the reply: a whole one, or a part with more to follow (`isLast` false); used up before this returns.
   * The entry belongs to the taker again after the last part.
   */
  takeReply(entry: Entry, bytes: Buffer, from: number, to: number, isLast: boolean): void;
  /** There will be no answer: it is repeated elsewhere if it may, or its client is told. */
  takeLoss(entry: Entry, loss: Loss): void;
  /** Whether parts of a reply may be given before the whole is there, of which so many bytes were gathered till now. */
  takesParts(entry: Entry, gathered: number): boolean;
  /** So many bytes of the reply are here, and kept until replicas have acknowledged. */
  withheld?(entry: Entry, bytes: number): void;
}

/** `unsent`: no byte of it was handed to the network. `unanswered`: the node may have carried it out. */
export type Loss = 'unsent' | 'unanswered';

/** What the engine makes of a command, as far as it matters here. */
export const READS_ONLY = 1;
/** Its client does not want to hear of it (CLIENT REPLY). */
export const MUTED = 2;
/** Answered by pushes and then by the command after it, unless it is refused (see `Upstream.sendPushed`). */
export const PUSHED = 8;
/** CLIENT CACHING goes before it, on the same connection. */
export const CACHING_YES = 16;
export const CACHING_NO = 32;

/** A read that no write of its client is before: it goes beside those that wait for replicas. */
export const BESIDE = 64;

/** Whoever must not send its next command before one that is being repeated is answered. */
export interface Holder {
  hold(): void;
  release(): void;
}

/** A lane, as far as an entry has to know it; `Lane` itself knows upstreams, which know entries. */
export interface LaneLike {
  /** Why the engine does not let it in, if it does not. */
  readonly refusal: string | null;
}

export class Entry {
  taker: ReplyTaker = NOBODY;
  /** The command's bytes: kept until the answer is there, to send them again. */
  block: Block | null = null;
  start = 0;
  end = 0;
  /** -1 for a command without a key. */
  slot = -1;
  flags = 0;
  /** Where it is sent again; null: it belongs to one connection and is not repeated anywhere else. */
  lane: LaneLike | null = null;
  /** Whose next commands wait while this one is being repeated. */
  holder: Holder | null = null;
  isRepeated = false;
  /** Times it was sent. */
  tries = 0;
  /** Milliseconds of `performance.now()` after which it is not sent again; 0 before the first trouble. */
  deadline = 0;
  /** When it was taken, of those that are timed; else 0. */
  takenAt = 0;
  /** The next command of the same client. */
  next: Entry | null = null;
  /** Where the reply lies that came before its turn; null while there is none. */
  reply: Block | null = null;
  replyFrom = 0;
  replyTo = 0;
  isDone = false;
  /** Parts of its reply have gone to the client. */
  isStreaming = false;
  /** Answers that are still to come: more than one for several commands that travel as one. */
  expects = 1;
  /** Something of its reply is here and has not gone to the client: pushes that come now go behind it. */
  hasPart = false;
  /** Pushes that go to the client behind its reply. */
  pushes: Buffer[] | null = null;
  /** Bytes of it in the account of what is under way, and of these: the reply that waits. */
  counted = 0;
  gathered = 0;
  /** Whatever its taker wants to know about it: which part of a whole it is. */
  part = 0;
}

/** Takes what nobody waits for. */
const NOBODY: ReplyTaker = {
  takeReply: () => {},
  takeLoss: () => {},
  takesParts: () => true,
};

const free: Entry[] = [];
const KEPT_ENTRIES = 16_384;

/** An entry in its first state. */
export function takeEntry(): Entry {
  return free.pop() ?? new Entry();
}

/** Gives it back; its block must have been released. */
export function freeEntry(entry: Entry): void {
  entry.taker = NOBODY;
  entry.block = null;
  entry.slot = -1;
  entry.flags = 0;
  entry.lane = null;
  entry.holder = null;
  entry.isRepeated = false;
  entry.tries = 0;
  entry.deadline = 0;
  entry.takenAt = 0;
  entry.next = null;
  entry.reply = null;
  entry.isDone = false;
  entry.isStreaming = false;
  entry.expects = 1;
  entry.hasPart = false;
  entry.pushes = null;
  entry.counted = 0;
  entry.gathered = 0;
  entry.part = 0;
  if (free.length < KEPT_ENTRIES) free.push(entry);
}

/** Gives a command's bytes back. */
export function releaseEntryBlock(entry: Entry): void {
  if (entry.block === null) return;
  releaseBlock(entry.block);
  entry.block = null;
}

/** For commands of ours whose answers say nothing. */
export const SWALLOW: ReplyTaker = {
  takesParts: () => false,
  takeReply: (entry) => {
    releaseEntryBlock(entry);
    freeEntry(entry);
  },
  takeLoss: (entry) => {
    releaseEntryBlock(entry);
    freeEntry(entry);
  },
};
