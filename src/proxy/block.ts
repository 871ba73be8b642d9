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
  /** Bytes that hold something. */
  used = 0;
  /** Commands in it that wait for an answer, and one for whoever still writes into it. */
  holders = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
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

/** A block made of bytes that are there already, held once; they must not change any more. */
export function wrapBlock(bytes: Buffer): Block {
  const block = new Block(bytes);
  block.used = bytes.length;
  block.holders = 1;
  return block;
}

/** One holder less; a block that nobody holds is used again. Nothing may be on its way out of it. */
export function releaseBlock(block: Block): void {
  block.holders -= 1;
  if (block.holders === 0 && block.bytes.length === BLOCK_BYTES && free.length < KEPT_BLOCKS) free.push(block);
}

/** Short pieces are copied faster without leaving JavaScript. @returns the end of what was written */
export function copyBytes(source: Buffer, from: number, to: number, target: Buffer, at: number): number {
  const length = to - from;
  if (length > 48) source.copy(target, at, from, to);
  else for (let index = 0; index < length; index += 1) target[at + index] = source[from + index]!;
  return at + length;
}
