/** Bytes on their way to a client: gathered in a block, and handed to its socket once a turn. */
import type { Socket } from 'node:net';
import { BLOCK_BYTES, type Block, copyBetween, copyInto, releaseBlock, takeBlock } from './block.ts';
import { type Writer, writerTo } from './socket-writer.ts';
import { type Flushable, flushAtEndOfTurn } from './turn.ts';

const EMPTY = Buffer.alloc(0);

export class Outbox implements Flushable {
  isDirty = false;
  isClosed = false;
  readonly #socket: Socket;
  readonly #writer: Writer;
  readonly #sent: (bytes: number) => void;
  #block: Block | null = null;

  /** `sent` is told of the bytes that were handed to the socket, each time; `taken`, when its peer has taken what it first did not. */
  constructor(socket: Socket, sent: (bytes: number) => void, taken: () => void) {
    this.#socket = socket;
    this.#writer = writerTo(socket, taken);
    this.#sent = sent;
  }

  /** Bytes that its peer has not taken: the socket keeps them. */
  get unread(): number {
    return this.#writer.unread;
  }

  write(bytes: Buffer, from: number, to: number): void {
    const block = this.#blockFor(bytes, from, to);
    if (block !== null) block.used = copyInto(block, block.used, bytes, from, to);
  }

  /** As `write`, of what lies in a block. */
  writeFrom(source: Block, from: number, to: number): void {
    const block = this.#blockFor(source.bytes, from, to);
    if (block !== null) block.used = copyBetween(block, block.used, source, from, to);
  }

  /** A block with room for it; null when there is nothing more to do. */
  #blockFor(bytes: Buffer, from: number, to: number): Block | null {
    if (this.isClosed) return null;
    const length = to - from;
    let block = this.#block;
    if (block !== null && block.room < length) {
      this.flush();
      block = this.#block;
    }
    if (length > BLOCK_BYTES) {
      this.#send(Buffer.from(bytes.subarray(from, to)));
      return null;
    }
    if (this.isClosed) return null;
    if (block === null) {
      block = takeBlock(length);
      this.#block = block;
    }
    if (!this.isDirty) flushAtEndOfTurn(this);
    return block;
  }

  flush(): void {
    const block = this.#block;
    if (block === null || this.isClosed) return;
    this.#block = null;
    if (!this.#writer.isFree) {
      // Its peer is slow: a whole block must not wait for it on behalf of a few bytes.
      const bytes = Buffer.from(block.bytes.subarray(0, block.used));
      releaseBlock(block);
      this.#send(bytes);
      return;
    }
    this.#writer.write(block.bytes.subarray(0, block.used));
    // With nothing left in the socket the kernel has it all, and the block is free again.
    if (this.#writer.isFree) releaseBlock(block);
    this.#sent(block.used);
  }

  #send(bytes: Buffer): void {
    this.#writer.write(bytes);
    this.#sent(bytes.length);
  }

  /** Calls back when its peer has taken all that was written. */
  whenTaken(taken: () => void): void {
    this.#socket.write(EMPTY, taken);
  }

  close(): void {
    this.isClosed = true;
    if (this.#block) releaseBlock(this.#block);
    this.#block = null;
  }
}
