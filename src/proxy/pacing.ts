/**
 * Writers to slots on their way are slowed down to so many bytes a second, all clients of the process together: a client
 * whose write is too early is held until its turn, in the order in which they came. It ends by itself.
 */
import { SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import { TokenBucket } from './token-bucket.ts';

/** A write that waits for its turn. */
interface Waiting {
  bytes: number;
  resume: () => void;
}

export class Pacing {
  /** By slot: 1 where writers are paced. */
  readonly #slots = new Uint8Array(SLOT_COUNT);
  /** Null while nobody is paced. */
  #bucket: TokenBucket | null = null;
  readonly #waiting = new Set<Waiting>();
  readonly #changed: () => void;
  #turnTimer: NodeJS.Timeout | null = null;
  #endTimer: NodeJS.Timeout | null = null;

  /** @param changed called when it begins and when it ends */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  get isOn(): boolean {
    return this.#bucket !== null;
  }

  /** From now on, and for so long at most; in place of what was said before. */
  begin(slots: readonly SlotRange[], bytesPerSecond: number, holdMs: number): void {
    this.#slots.fill(0);
    for (const [from, to] of slots) this.#slots.fill(1, from, to + 1);
    if (this.#endTimer) clearTimeout(this.#endTimer);
    this.#endTimer = setTimeout(() => this.end(), holdMs).unref();
    if (this.#bucket) {
      this.#bucket.setRate(bytesPerSecond, performance.now());
      this.#nextTurns();
    } else {
      this.#bucket = new TokenBucket(bytesPerSecond, performance.now());
      this.#changed();
    }
  }

  /** Nobody is paced any more; who waits goes on at once. */
  end(): void {
    if (!this.#bucket) return;
    if (this.#endTimer) clearTimeout(this.#endTimer);
    if (this.#turnTimer) clearTimeout(this.#turnTimer);
    this.#endTimer = null;
    this.#turnTimer = null;
    this.#bucket = null;
    this.#changed();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const { resume } of waiting) resume();
  }

  /** To be asked while it is on. */
  isPaced(slot: number): boolean {
    return this.#slots[slot] === 1;
  }

  /** @returns whether so many bytes may be written now; nobody goes before those who wait */
  takes(bytes: number): boolean {
    return this.#bucket === null || (this.#waiting.size === 0 && this.#bucket.takes(bytes, performance.now()));
  }

  /** @returns how to wait no more */
  wait(bytes: number, resume: () => void): () => void {
    const one = { bytes, resume };
    this.#waiting.add(one);
    this.#nextTurnLater();
    return () => this.#waiting.delete(one);
  }

  #nextTurns(): void {
    if (this.#turnTimer) clearTimeout(this.#turnTimer);
    this.#turnTimer = null;
    for (const one of this.#waiting) {
      if (!this.#bucket?.takes(one.bytes, performance.now())) break;
      this.#waiting.delete(one);
      one.resume(); // its client may wait again at once, behind all others
    }
    if (this.#waiting.size > 0) this.#nextTurnLater();
  }

  #nextTurnLater(): void {
    const waitMs = this.#bucket?.waitMs(performance.now()) ?? 0;
    this.#turnTimer ??= setTimeout(() => this.#nextTurns(), Math.ceil(waitMs)).unref();
  }
}
