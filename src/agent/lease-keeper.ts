/**
 * Keeps the machine's lease: asks its neighbours again and again, stops the writes of its primaries when the lease has
 * run out, and lets them go on when it has one again and nobody has taken over.
 */
import type { Voter } from '../domain/roster.ts';
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { Lease } from '../quorum/lease.ts';
import { ANSWER_MS, CLAIM_MS, RENEW_MS } from '../quorum/times.ts';
import type { Neighbours } from './neighbours.ts';
import type { Roster } from './roster.ts';
import type { WriteFence } from './write-fence.ts';

export interface LeaseSurroundings {
  machine: string;
  roster: Roster;
  neighbours: Pick<Neighbours, 'ask'>;
  fence: WriteFence;
  /** It has a lease again, after a time without. */
  regained: () => void;
  /** Monotonic. */
  clock: Clock;
  log: Logger;
}

export class LeaseKeeper {
  readonly #around: LeaseSurroundings;
  readonly #lease: Lease;
  /** Neighbours that have been asked and have not answered. */
  readonly #asked = new Set<string>();
  /** Databases (by uid) that were claimed from this machine while it had no lease. */
  readonly #claimed = new Set<string>();
  /** Since when the hosts of neighbours have refused the connection, one time after the other. */
  readonly #refusingSince = new Map<string, number>();
  readonly #mayStopFrom: number;
  readonly #setVoters = (): void => this.#lease.setVoters(this.#around.roster.voters);
  #renewal: EndTimer | null = null;
  #end: EndTimer | null = null;
  #closed = false;
  /** Whether the writes here are stopped; before this agent has let all go on, one before it may have stopped them. */
  #isStopped: boolean | 'perhaps' = 'perhaps';
  #changing: Promise<void> | null = null;

  constructor(around: LeaseSurroundings) {
    this.#around = around;
    this.#mayStopFrom = around.clock.now() + ANSWER_MS;
    this.#lease = new Lease(around.machine);
    this.#setVoters();
    around.roster.on('changed', this.#setVoters);
  }

  begin(): void {
    this.#renew();
  }

  /** Whether this machine may decide who is primary. */
  get isHeld(): boolean {
    return this.#lease.state(this.#around.clock.now()) !== 'run_out';
  }

  close(): void {
    this.#around.roster.off('changed', this.#setVoters);
    this.#closed = true;
    this.#renewal?.();
    this.#end?.();
  }

  #renew(): void {
    const { clock, machine } = this.#around;
    if (this.#closed) return;
    this.#renewal = clock.timer(RENEW_MS, () => this.#renew());
    for (const voter of this.#lease.voters.voters) {
      if (voter.machine !== machine && !this.#asked.has(voter.machine)) void this.#ask(voter);
    }
    this.#look();
  }

  async #ask(voter: Voter): Promise<void> {
    const { machine, neighbours } = this.#around;
    this.#asked.add(voter.machine);
    const heard = await neighbours.ask(voter, { ask: 'lease', machine });
    this.#asked.delete(voter.machine);
    if (this.#closed) return;
    if (heard.how !== 'refused') this.#refusingSince.delete(voter.machine);
    if (heard.how === 'silent') return;
    if (heard.how === 'refused' && !this.#countsAsGrant(voter.machine, heard.askedAt)) return;
    if (heard.how === 'answered') {
      if (heard.answer.kind !== 'granted') return;
      for (const database of heard.answer.claimed) this.#claimed.add(database);
    }
    this.#lease.granted(voter.machine, heard.askedAt);
    this.#look();
  }

  /**
   * Nobody votes at a host that refuses the connection. It prolongs a lease; to regain one, it must have refused for as
   * long as a claim may last to which its agent agreed before it ended, and nobody may have taken over meanwhile.
   */
  #countsAsGrant(neighbour: string, askedAt: number): boolean {
    const since = this.#refusingSince.get(neighbour) ?? askedAt;
    this.#refusingSince.set(neighbour, since);
    if (this.isHeld) return true;
    if (askedAt - since < CLAIM_MS) return false;
    for (const { uid } of this.#around.roster.databases) this.#claimed.add(uid);
    return true;
  }

  /** Stops or lets go on, as the lease says now; and looks again when it ends. */
  #look(): void {
    const now = this.#around.clock.now();
    const state = this.#lease.state(now);
    this.#end?.();
    const untilMs = state === 'valid' ? this.#lease.validUntil() - now : Infinity;
    this.#end = Number.isFinite(untilMs) ? this.#around.clock.timer(Math.ceil(untilMs), () => this.#look()) : null;
    if (this.#changing) return;
    if (state === 'run_out' && now >= this.#mayStopFrom) this.#changing = this.#stop();
    else if (state !== 'run_out' && this.#isStopped !== false) this.#changing = this.#goOn();
  }

  /** Again with each look while it has none: another of its nodes may have become a primary. */
  async #stop(): Promise<void> {
    const { fence, log } = this.#around;
    if (this.#isStopped !== true)
      log.warn({}, 'No majority of the machines answers: writes to the primaries here are stopped.');
    this.#isStopped = true;
    await fence.stop().catch((error: unknown) => log.error({ err: error }, 'The writes were not stopped.'));
    this.#changing = null;
  }

  async #goOn(): Promise<void> {
    const { fence, log, regained } = this.#around;
    const claimed = new Set(this.#claimed);
    const allGo = await fence.goOn(claimed).catch((error: unknown) => {
      log.error({ err: error }, 'The writes were not let go on.');
      return false;
    });
    this.#changing = null;
    if (!allGo || !this.isHeld) return; // tried again with the next look
    if (this.#isStopped === true) log.info({}, 'A majority of the machines answers again: writes go on.');
    this.#isStopped = false;
    this.#claimed.clear();
    regained();
  }
}
