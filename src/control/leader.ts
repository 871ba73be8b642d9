/**
 * Which of several control planes leads. The leader has a key in the store under a lease that it keeps; when it dies,
 * the lease ends, the key vanishes, and one of the others puts its own.
 *
 * Two things keep a former leader from doing harm. It stops believing in its lease, by its own clock, before the store
 * can have ended it. And should it have been stopped in the middle of something: commits that carry the check of its
 * term are refused by the store.
 */
import { EventEmitter } from 'node:events';
import { type Clock, type EndTimer, monotonicClock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Change, Lease, Op, Store, Unwatch } from '../store/store.ts';
import { type Claim, claimEndsMs, keepAtMs, retryAfterMs } from './leader-timing.ts';

/** The key of whoever leads; its value is a `Leader`. */
export const LEADER_KEY = 'leader';

/** After the death of a leader another leads within this and a second, in ms. */
export const DEFAULT_LEASE_MS = 6_000;
/** After the store has failed, in ms. */
const RETRY_MS = 500;
/** How long closing waits for a store that does not answer, in ms. */
const CLOSE_MS = 2_000;

/** Who leads, as the others see it. */
export interface Leader {
  readonly name: string;
  /** Where its API listens. */
  readonly api: string;
}

/** One time of leading, from gaining it to losing it. */
export interface Term {
  /** Greater than that of every term before, of any leader: who knows a greater one may refuse a lesser. */
  readonly number: number;
  /** Put first into a commit, it has the store refuse that once the term is over, with a conflict at LEADER_KEY. */
  readonly check: Op;
}

/** `lease`: it could not be kept, or has ended; `key`: another took the key away; `closed`: as we wished. */
export type Loss = 'lease' | 'key' | 'closed';

interface LeadershipEvents {
  gained: [term: Term];
  /** In the same turn in which `term` became null, or later if the process was stopped meanwhile. */
  lost: [term: Term, loss: Loss];
  /** Another leads now, or for the moment nobody. */
  leader: [leader: Leader | null];
}

export interface LeadershipOptions {
  store: Store;
  self: Leader;
  /** Whole seconds, in ms; the store may take more. */
  leaseMs?: number;
  log: Logger;
  /** One that never jumps. */
  clock?: Clock;
}

interface Held {
  term: Term;
  claim: Claim;
  endTimer: EndTimer;
}

/** Begins at once to try to lead, and goes on until it is closed. Emits `gained`, `lost` and `leader`. */
export class Leadership extends EventEmitter<LeadershipEvents> {
  readonly #store: Store;
  readonly #self: Leader;
  readonly #leaseMs: number;
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #running: Promise<void>;
  #held: Held | null = null;
  #leader: Leader | null = null;
  #closed = false;
  /** Something happened since it was last waited for. */
  #isAwake = false;
  #wakeUp: () => void = () => {};
  #unwatch: Unwatch = () => {};

  constructor({ store, self, leaseMs = DEFAULT_LEASE_MS, log, clock = monotonicClock }: LeadershipOptions) {
    super();
    this.#store = store;
    this.#self = self;
    this.#leaseMs = leaseMs;
    this.#log = log;
    this.#clock = clock;
    this.#running = this.#run();
  }

  /** Our term while we lead, by our own clock at this very moment; else null. */
  get term(): Term | null {
    if (this.#held === null || this.#clock.now() >= claimEndsMs(this.#held.claim)) return null;
    return this.#held.term;
  }

  /** Who leads, as far as is known here. */
  get leader(): Leader | null {
    return this.#leader;
  }

  /** Resigns at once, so that another need not wait for the end of the lease. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#lose('closed');
    this.#wake();
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const endTimer = this.#clock.timer(CLOSE_MS, resolve);
    await Promise.race([this.#running, late]);
    endTimer();
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        this.#watch();
        await this.#campaign();
      } catch (error) {
        if (this.#closed) break;
        this.#log.warn({ err: error }, 'The store failed while trying to lead.');
        await this.#wait(RETRY_MS);
      }
    }
    this.#unwatch();
  }

  #watch(): void {
    const onGap = (): void => {
      this.#watch();
      this.#wake();
    };
    this.#unwatch();
    this.#unwatch = this.#store.watch(LEADER_KEY, (change) => this.#changed(change), { onGap });
  }

  async #campaign(): Promise<void> {
    while (!this.#closed) {
      const entry = await this.#store.get<Leader>(LEADER_KEY);
      this.#see(entry?.value ?? null);
      if (entry === null) await this.#tryToLead();
      // The watch tells when it is over; should it fail to, this looks by itself.
      else await this.#wait(this.#leaseMs / 2);
    }
  }

  async #tryToLead(): Promise<void> {
    const sentMs = this.#clock.now();
    const lease = await this.#store.grantLease(this.#leaseMs);
    try {
      const put: Op = { put: LEADER_KEY, value: this.#self, expect: 'absent', lease: lease.id };
      const done = await this.#store.commit([put]);
      if (done.ok && !this.#closed) await this.#lead(done.revision, lease, sentMs);
    } finally {
      // Gone already, as a rule, or useless: another was faster.
      await this.#store.revokeLease(lease.id);
    }
  }

  async #lead(revision: number, lease: Lease, sentMs: number): Promise<void> {
    const claim = { ttlMs: lease.ttlMs, sentMs };
    if (this.#clock.now() >= claimEndsMs(claim)) return;
    const held: Held = {
      term: { number: revision, check: { check: LEADER_KEY, expect: revision } },
      claim,
      endTimer: () => {},
    };
    this.#hold(held);
    this.#held = held;
    this.#log.info({ term: revision }, 'Leads now.');
    this.#see(this.#self);
    this.#tell(() => this.emit('gained', held.term));
    let keepMs = keepAtMs(claim);
    while (this.#held === held) {
      const waitMs = keepMs - this.#clock.now();
      if (waitMs > 0) {
        await this.#wait(waitMs);
        continue;
      }
      keepMs = await this.#keep(held, lease.id);
    }
  }

  /** Has the lease kept; resolves, when that is done or the term is over, to when it is to be done again. */
  async #keep(held: Held, leaseId: string): Promise<number> {
    const sentMs = this.#clock.now();
    const kept = this.#store.keepLease(leaseId).catch((error: unknown) => error);
    let answer: unknown;
    void kept.then((value) => {
      answer = value;
      this.#wake();
    });
    while (answer === undefined && this.#held === held) await this.#wait();
    if (this.#held !== held) return 0;
    if (answer === true) {
      held.claim = { ...held.claim, sentMs };
      this.#hold(held);
      return keepAtMs(held.claim);
    }
    if (answer === false) this.#lose('lease');
    else this.#log.warn({ err: answer }, 'The lease to lead was not kept; it is tried again.');
    return this.#clock.now() + retryAfterMs(held.claim);
  }

  /** Plans the end of what we hold for when its claim ends. */
  #hold(held: Held): void {
    held.endTimer();
    held.endTimer = this.#clock.timer(claimEndsMs(held.claim) - this.#clock.now(), () => this.#lose('lease'));
  }

  #lose(loss: Loss): void {
    const held = this.#held;
    if (held === null) return;
    this.#held = null;
    held.endTimer();
    this.#log.warn({ term: held.term.number, loss }, 'Leads no longer.');
    this.#see(null);
    this.#tell(() => this.emit('lost', held.term, loss));
    this.#wake();
  }

  #changed({ revision }: Change): void {
    // Nobody but us changes our key, except by taking it away.
    if (this.#held !== null && revision > this.#held.term.number) this.#lose(this.term === null ? 'lease' : 'key');
    this.#wake();
  }

  #see(leader: Leader | null): void {
    if (leader?.name === this.#leader?.name && leader?.api === this.#leader?.api) return;
    this.#leader = leader;
    this.#tell(() => this.emit('leader', leader));
  }

  /** A fault of a listener is loud, but does not end the campaign. */
  #tell(emit: () => void): void {
    try {
      emit();
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  #wake(): void {
    this.#isAwake = true;
    this.#wakeUp();
  }

  /** Resolves when something happened, or after `ms`. */
  async #wait(ms?: number): Promise<void> {
    if (!this.#isAwake) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeUp = resolve;
      const endTimer = ms === undefined ? () => {} : this.#clock.timer(ms, resolve);
      await promise;
      endTimer();
    }
    this.#isAwake = false;
  }
}
