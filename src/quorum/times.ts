/**
 * The times of leases, in milliseconds of each machine's own monotonic clock. What makes a takeover safe is their order:
 *
 *     the holder asks          its lease ends: it stops writes    stopped for certain
 *     |------------ LEASE_MS --------->|------- STOP_MS ---------->|
 *       the voter grants                                              claims are agreed to
 *       |------------------------- SILENCE_MS ------------------------>|
 *
 * The holder counts from before it asked, a voter from after it was asked, so their clocks need not agree; they only must
 * not run at rates that differ by a tenth.
 */

/** From asking for it until the machine's primaries must stop. */
export const LEASE_MS = 1_000;
/** A lease is asked for again this long after the last time. */
export const RENEW_MS = 250;
/** An answer that takes longer is none. */
export const ANSWER_MS = 400;
/** To stop the writes of all primaries of a machine; a process that does not obey is ended within it. */
export const STOP_MS = 400;
/** From granting a lease until the voter agrees that somebody else takes over: the two above, and a tenth for clocks. */
export const SILENCE_MS = 1_540;
/**
 * A takeover is prepared so long before: whether the machine can be reached takes time to find out. It is agreed to and
 * done only when the time has come.
 */
export const AHEAD_MS = 250;
/** A voter that agreed to a claim grants the machine no lease, and the database to no other, for so long. */
export const CLAIM_MS = 5_000;
