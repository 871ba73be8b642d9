/**
 * Bytes that arrive in pieces, gathered in one place. It grows by doubling, so that gathering costs time linear in the
 * bytes, however small the pieces are; the pieces themselves are copied and not kept.
 */
const EMPTY = Buffer.alloc(0);

/** Room that is kept for the next use; more than that is given back. */
const KEPT_BYTES = 64 * 1024;

export class ByteBuffer {
  #room = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Adds `source` from `start` up to `end`; never makes more room than `limitBytes`, the most that will ever be needed. */
  append(source: Buffer, start: number, end: number, limitBytes: number): void {
    const needed = this.#length + end - start;
    if (needed > this.#room.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(2 * needed, limitBytes)));
      this.#room.copy(grown, 0, 0, this.#length);
      this.#room = grown;
    }
    source.copy(this.#room, this.#length, start, end);
    this.#length = needed;
  }

  /** What was gathered: valid until the next `append`. */
  bytes(): Buffer {
    return this.#room.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    if (this.#room.length > KEPT_BYTES) this.#room = EMPTY;
  }
}
