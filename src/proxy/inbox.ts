/**
 * Bytes of a client that were read and not yet used: those of a command that has come in part, and what waits behind. A
 * long command is gathered in a block, which goes on to its node as it is.
 */

import { BLOCK_BYTES, type Block, releaseBlock, takeBlock } from './block.ts';

const EMPTY = Buffer.alloc(0);
/** A command of at least so many bytes, and no more than a block has, is gathered in one. */
const BLOCK_FROM_BYTES = 16 * 1024;
const LEAST_BYTES = 1024;
/** Room is made for a whole command at once up to here; above that it doubles, so that a length alone costs nothing. */
const TRUSTED_BYTES = 1024 ** 2;

export class Inbox {
  bytes = EMPTY;
  /** Commands are being read out of it: its memory stays what it is, also when it is cleared meanwhile. */
  #isRead = false;
  #block: Block | null = null;
  from = 0;
  to = 0;

  get length(): number {
    return this.to - this.from;
  }

  /** Bytes of memory that it takes. */
  get room(): number {
    return this.bytes.length;
  }

  /** Adds a copy of these bytes; `needed`: what will be there at least before any of it can be used. */
  keep(bytes: Buffer, from: number, to: number, needed: number): void {
    const length = to - from;
    if (this.to + length > this.bytes.length) this.#makeRoom(this.length + length, needed);
    bytes.copy(this.bytes, this.to, from, to);
    this.to += length;
  }

  /** Has commands read out of it; `parse` tells up to where. */
  read(parse: (bytes: Buffer, from: number, to: number) => number): void {
    this.#isRead = true;
    this.from = parse(this.bytes, this.from, this.to);
    this.#isRead = false;
  }

  #makeRoom(present: number, needed: number): void {
    let { bytes } = this;
    if (present > bytes.length || this.#isShared) {
      const most = Math.max(needed, present);
      if (most >= BLOCK_FROM_BYTES && most <= BLOCK_BYTES && (this.#block === null || this.#isShared))
        return this.#moveToBlock();
      const doubled = Math.max(LEAST_BYTES, 2 * present);
      bytes = Buffer.allocUnsafeSlow(most <= TRUSTED_BYTES ? Math.max(most, doubled) : Math.max(present, doubled));
    }
    this.#moveTo(bytes);
  }

  /** A command in it is on its way to a node: what lies here must stay. */
  get #isShared(): boolean {
    return this.#block !== null && this.#block.holders > 1;
  }

  #moveToBlock(): void {
    const block = takeBlock(BLOCK_BYTES);
    this.#moveTo(block.bytes as typeof EMPTY);
    this.#block = block;
  }

  #moveTo(bytes: typeof EMPTY): void {
    this.bytes.copy(bytes, 0, this.from, this.to);
    this.to = this.length;
    this.from = 0;
    if (bytes === this.bytes) return;
    this.#release();
    this.bytes = bytes;
  }

  #release(): void {
    if (this.#block && !this.#isRead) releaseBlock(this.#block);
    this.#block = null;
  }

  clear(): void {
    this.#release();
    this.bytes = EMPTY;
    this.from = 0;
    this.to = 0;
  }
}
