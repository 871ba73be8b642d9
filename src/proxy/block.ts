/**
 * Memory that commands and replies are copied into, once, on their way: commands into the block that is written to a
 * node and kept until they are answered, replies into the block that is written to a client. Blocks are used again.
 */

/** Room for a value of 64 KB with its command or reply around it. */
export const BLOCK_BYTES = 128 * 1024;
/** Blocks kept for later use; what is more is left to the garbage collector. */
const KEPT_BLOCKS = 128;

export class Block {
  readonly bytes: Buffer;
  readonly words: DataView;
  /** Bytes that hold something. */
  used = 0;
  /** Commands or replies in it that wait, and one for whoever still writes into it. */
  holders = 0;
  isShelf = false;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.words = wordsOf(bytes);
  }

  get room(): number {
    return this.bytes.length - this.used;
  }
}

const free: Block[] = [];
/** Which block a memory is; asked for long commands only. */
const blocks = new WeakMap<Buffer, Block>();

/** An empty block with room for at least `bytes`, held once. */
export function takeBlock(bytes: number): Block {
  const block = bytes > BLOCK_BYTES ? undefined : free.pop();
  const taken = block ?? newBlock(Math.max(bytes, BLOCK_BYTES));
  taken.used = 0;
  taken.holders = 1;
  return taken;
}

function newBlock(bytes: number): Block {
  const block = new Block(Buffer.allocUnsafeSlow(bytes));
  blocks.set(block.bytes, block);
  return block;
}

/** The block that has been taken with this memory, if one has. */
export const blockOf = (bytes: Buffer): Block | undefined => blocks.get(bytes);

const wordsOf = (bytes: Buffer): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

/** A block made of bytes that are there already, held once; they must not change any more. */
export function wrapBlock(bytes: Buffer): Block {
  const block = new Block(bytes);
  block.used = bytes.length;
  block.holders = 1;
  return block;
}

/** Bytes of one read at the most. */
const READ_BYTES = 256 * 1024;
/** What all sockets read into: nearly all that is copied comes from here. */
export const READ_BLOCK = new Block(Buffer.allocUnsafeSlow(READ_BYTES));

/** Shorter pieces are copied by words, which is faster than to leave JavaScript for it. */
const BY_WORDS_BYTES = 160;

/** Copies into a block, at `at`. @returns the end of what was written */
export function copyInto(block: Block, at: number, bytes: Buffer, from: number, to: number): number {
  if (bytes === READ_BLOCK.bytes) return copyBetween(block, at, READ_BLOCK, from, to);
  bytes.copy(block.bytes, at, from, to);
  return at + to - from;
}

/** As `copyInto`, from another block. */
export function copyBetween(block: Block, at: number, source: Block, from: number, to: number): number {
  const end = at + to - from;
  if (end - at > BY_WORDS_BYTES) {
    source.bytes.copy(block.bytes, at, from, to);
    return end;
  }
  let read = from;
  let write = at;
  if (end - at >= 8) {
    const { words } = block;
    const sourceWords = source.words;
    for (const last = end - 8; write < last; read += 8, write += 8) {
      words.setBigUint64(write, sourceWords.getBigUint64(read, true), true);
    }
    words.setBigUint64(end - 8, sourceWords.getBigUint64(to - 8, true), true);
    return end;
  }
  for (; write < end; read += 1, write += 1) block.bytes[write] = source.bytes[read]!;
  return end;
}

/** One holder less; a block that nobody holds is used again. Nothing may be on its way out of it. */
export function releaseBlock(block: Block): void {
  block.holders -= 1;
  if (block.holders > 0) return;
  if (block.isShelf) {
    block.isShelf = false;
    shelves -= 1;
  }
  if (block.bytes.length === BLOCK_BYTES && free.length < KEPT_BLOCKS) free.push(block);
}

/** Blocks for pieces that are kept for a while, at most: one piece that stays keeps the whole block. */
const MOST_SHELVES = 256;
/** A longer piece gets memory of its own. */
const SHELVED_BYTES = 4 * 1024;
let shelves = 0;
let shelf: Block | null = null;

/** Keeps a copy of these bytes aside, for one holder: they end where the block's `used` then stands. */
export function keepAside(bytes: Buffer, from: number, to: number): Block {
  const length = to - from;
  if (shelf !== null && shelf.room < length) {
    releaseBlock(shelf);
    shelf = null;
  }
  if (length > SHELVED_BYTES || (shelf === null && shelves >= MOST_SHELVES)) {
    return wrapBlock(Buffer.from(bytes.subarray(from, to)));
  }
  if (shelf === null) {
    shelf = takeBlock(length);
    shelf.isShelf = true;
    shelves += 1;
  }
  shelf.holders += 1;
  shelf.used = copyInto(shelf, shelf.used, bytes, from, to);
  return shelf;
}
