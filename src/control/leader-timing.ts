/** How long a leader may believe in its lease, by its own clock. Nothing here looks at one. */

/** A lease as its holder sees it. */
export interface Claim {
  /** How long the store keeps it from the moment it last heard of its holder. */
  readonly ttlMs: number;
  /** On the holder's clock, when it sent what the store answered last. The store heard of it then or later. */
  readonly sentMs: number;
}

/**
 * The part of a lease that is given away. The store's clock may go faster than ours by so much, and a timer may be late
 * by what that leaves, before anybody could lead beside us.
 */
const MARGIN = 0.1;
/** A lease is kept this often within its time: two attempts may fail. */
const KEPT_WITHIN_TTL = 3;
/** And after a failure again so soon, as a part of its time. */
const RETRY = 1 / 20;

/** From this moment on the holder must not believe in its lease any more; the store ends it later. */
export const claimEndsMs = ({ ttlMs, sentMs }: Claim): number => sentMs + ttlMs * (1 - MARGIN);

/** When to have the lease kept next. */
export const keepAtMs = ({ ttlMs, sentMs }: Claim): number => sentMs + ttlMs / KEPT_WITHIN_TTL;

/** How long to wait after a failure before the lease is to be kept again. */
export const retryAfterMs = ({ ttlMs }: Claim): number => ttlMs * RETRY;
