/** A machine's own side of its lease: whether its primaries may go on, by what its neighbours have answered. */
import { FEWEST_VOTERS, majorityOf, NO_VOTERS, type VoterList } from '../domain/roster.ts';
import { LEASE_MS } from './times.ts';

/**
 * `unneeded`: with so few voters nobody ever takes over by itself, so nobody needs leave to go on;
 * `run_out`: others may take over soon, so the primaries must stop.
 */
export type LeaseState = 'unneeded' | 'valid' | 'run_out';

export class Lease {
  readonly #machine: string;
  #list: VoterList = NO_VOTERS;
  /** When each neighbour was asked that has granted, latest. */
  readonly #grantedAt = new Map<string, number>();

  constructor(machine: string) {
    this.#machine = machine;
  }

  get voters(): VoterList {
    return this.#list;
  }

  /** A newer list; an older one is not taken. */
  setVoters(list: VoterList): void {
    if (list.version > this.#list.version) this.#list = list;
  }

  /**
   * A neighbour has granted the lease. One whose host refused the connection has as good as granted it: nobody votes
   * there, and an agent that starts agrees to no claim before a lease of this time has run out.
   * @param askedAt when the question was sent: whatever the neighbour promised, it promised later
   */
  granted(neighbour: string, askedAt: number): void {
    this.#grantedAt.set(neighbour, Math.max(askedAt, this.#grantedAt.get(neighbour) ?? -Infinity));
  }

  /** Until when it is valid, by this machine's monotonic clock: as of the youngest grants that make a majority with itself. */
  validUntil(): number {
    const { voters } = this.#list;
    const needed = majorityOf(voters.length) - 1;
    if (needed === 0) return Infinity;
    const asked = voters
      .filter(({ machine }) => machine !== this.#machine)
      .map(({ machine }) => this.#grantedAt.get(machine) ?? -Infinity)
      .sort((a, b) => b - a);
    return (asked[needed - 1] ?? -Infinity) + LEASE_MS;
  }

  state(now: number): LeaseState {
    const { voters } = this.#list;
    const takesPart = voters.some(({ machine }) => machine === this.#machine);
    if (!takesPart || voters.length < FEWEST_VOTERS) return 'unneeded';
    return now < this.validUntil() ? 'valid' : 'run_out';
  }
}
