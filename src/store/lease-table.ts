/** The leases of a store that belongs to one process: which there are, and when each ends. */
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Lease } from './store.ts';

/** When the keys of a lease could not be deleted (a full disk), it is tried again. */
const RETRY_MS = 1_000;

interface Granted {
  ttlMs: number;
  /** On the table's clock. */
  endsMs: number;
  endTimer: EndTimer;
}

export class LeaseTable {
  readonly #clock: Clock;
  readonly #endKeys: (id: string) => void;
  readonly #leases = new Map<string, Granted>();
  /** Timers of what is tried again. */
  readonly #retries = new Set<EndTimer>();
  #count = 0;

  /**
   * @param clock one that never jumps
   * @param endKeys deletes the keys of a lease that has ended
   */
  constructor(clock: Clock, endKeys: (id: string) => void) {
    this.#clock = clock;
    this.#endKeys = endKeys;
  }

  grant(ttlMs: number): Lease {
    this.#count += 1;
    const id = String(this.#count);
    this.#leases.set(id, { ttlMs, endsMs: this.#clock.now() + ttlMs, endTimer: this.#endAfter(id, ttlMs) });
    return { id, ttlMs };
  }

  has(id: string): boolean {
    return this.#leases.has(id);
  }

  keep(id: string): boolean {
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.endsMs = this.#clock.now() + lease.ttlMs; // the timer goes on, and looks at this when it is due
    return true;
  }

  /** Ends a lease and its keys. Raises what deleting them raises; the lease has ended then all the same. */
  revoke(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    this.#leases.delete(id);
    lease.endTimer();
    try {
      this.#endKeys(id);
    } catch (error) {
      this.#endKeysLater(id);
      throw error;
    }
  }

  /** Forgets all: nothing ends any more. */
  close(): void {
    for (const { endTimer } of this.#leases.values()) endTimer();
    for (const endTimer of this.#retries) endTimer();
    this.#leases.clear();
    this.#retries.clear();
  }

  #endAfter(id: string, delayMs: number): EndTimer {
    return this.#clock.timer(delayMs, () => this.#due(id));
  }

  #due(id: string): void {
    const lease = this.#leases.get(id);
    if (lease === undefined) return;
    const leftMs = lease.endsMs - this.#clock.now();
    if (leftMs > 0) {
      lease.endTimer = this.#endAfter(id, Math.ceil(leftMs));
      return;
    }
    try {
      this.revoke(id);
    } catch {
      // it is tried again
    }
  }

  #endKeysLater(id: string): void {
    const endTimer = this.#clock.timer(RETRY_MS, () => {
      this.#retries.delete(endTimer);
      try {
        this.#endKeys(id);
      } catch {
        this.#endKeysLater(id);
      }
    });
    this.#retries.add(endTimer);
  }
}
