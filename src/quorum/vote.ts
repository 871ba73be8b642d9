/**
 * A voter's side: which leases it has granted, and to which claims it has agreed. What it promises it keeps: a machine
 * with a lease is not taken over from, and one that is being taken over from gets no lease.
 */
import { CLAIM_MS, SILENCE_MS } from './times.ts';

/** How long it is told to a machine that was claimed from. */
const MEMORY_MS = 600_000;

export interface Claim {
  /** The machine that takes over. */
  by: string;
  /** The machine that is not heard of. */
  machine: string;
  /** By uid. */
  database: string;
}

export type Vote = { agreed: true } | { agreed: false; reason: string };

/** Times are milliseconds of the monotonic clock. */
export class Votes {
  readonly #begunAt: number;
  /** When each machine was last granted a lease. */
  readonly #grantedAt = new Map<string, number>();
  #claims: (Claim & { at: number; until: number })[] = [];

  /** @param begunAt it may have promised anything until now, before it was started again */
  constructor(begunAt: number) {
    this.#begunAt = begunAt;
  }

  /** A machine asks to go on. @returns the databases lately claimed from it, or why not */
  grant(machine: string, now: number): { granted: string[] } | { denied: string } {
    this.#forget(now);
    const ofIt = this.#claims.filter((claim) => claim.machine === machine);
    const open = ofIt.find(({ until }) => now < until);
    if (open) return { denied: `${open.by} takes over from it` };
    this.#grantedAt.set(machine, now);
    return { granted: [...new Set(ofIt.map(({ database }) => database))] };
  }

  /** Whether everything a machine was ever granted has run out, and its primaries have stopped for certain. */
  hasRunOut(machine: string, now: number): boolean {
    return this.leftMs(machine, now) <= 0;
  }

  /** How long until then, unless it is granted another lease; 0 or less: it has. */
  leftMs(machine: string, now: number): number {
    return (this.#grantedAt.get(machine) ?? this.#begunAt) + SILENCE_MS - now;
  }

  /**
   * Somebody wants to take over from a machine. One at a time for a database: takeovers raise epochs without consent.
   * @param isReached whether this voter can reach the machine, or a process that is to be replaced
   */
  claim(claim: Claim, isReached: boolean, now: number): Vote {
    const { by, machine, database } = claim;
    if (!this.hasRunOut(machine, now)) return { agreed: false, reason: `the lease of ${machine} has not run out` };
    if (isReached) return { agreed: false, reason: `${machine} can be reached` };
    const other = this.#claims.find((one) => one.database === database && one.by !== by && now < one.until);
    if (other) return { agreed: false, reason: `${other.by} takes over already` };
    this.release(claim, now);
    this.#claims.push({ by, machine, database, at: now, until: now + CLAIM_MS });
    return { agreed: true };
  }

  /** The claim is over; that there was one is remembered. */
  release({ by, machine, database }: Claim, now: number): void {
    for (const claim of this.#claims) {
      const isIt = claim.by === by && claim.machine === machine && claim.database === database;
      if (isIt) claim.until = Math.min(claim.until, now);
    }
  }

  #forget(now: number): void {
    this.#claims = this.#claims.filter(({ at }) => now - at < MEMORY_MS);
  }
}
