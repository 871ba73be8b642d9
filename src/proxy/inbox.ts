/** Bytes of a client that were read and not yet used: those of a command that has come in part, and what waits behind. */

const EMPTY = Buffer.alloc(0);
const LEAST_BYTES = 1024;
/** Room is made for a whole command at once up to here; above that it doubles, so that a length alone costs nothing. */
const TRUSTED_BYTES = 1024 ** 2;

export class Inbox {
  bytes = EMPTY;
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

  #makeRoom(present: number, needed: number): void {
    let { bytes } = this;
    if (present > bytes.length) {
      const most = Math.max(needed, present);
      const doubled = Math.max(LEAST_BYTES, 2 * present);
      bytes = Buffer.allocUnsafeSlow(most <= TRUSTED_BYTES ? Math.max(most, doubled) : Math.max(present, doubled));
    }
    this.bytes.copy(bytes, 0, this.from, this.to);
    this.to = this.length;
    this.from = 0;
    this.bytes = bytes;
  }

  clear(): void {
    this.bytes = EMPTY;
    this.from = 0;
    this.to = 0;
  }
}
