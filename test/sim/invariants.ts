/** What must hold at every moment, by name. */
import type { Engine } from './engine/engine.ts';
import { type Cause, NODE_TIMEOUT_MS } from './engine/state.ts';

export const INVARIANTS = {
  one_owner: 'Two nodes could acknowledge writes to the same slots, and it was our doing.',
  last_copy: 'The last copy of acknowledged, replicated data was dropped, and no crash did it.',
  acknowledged: 'A write that enough replicas had was lost, and no more copies were hit than it was to survive.',
  stops_alone: 'A primary that cannot be told that another takes its place went on to take writes.',
  lease_kept: 'A replica took the place of a primary that had not stopped.',
  heals_alone: 'With all trouble over and no control plane, a shard takes no writes.',
  serves: 'All is well, and a shard takes no writes.',
  copies_apart: 'Copies that were promised to be on machines of their own are on one.',
  never_empty: 'A primary was started empty while a copy of its shard had data.',
  converges: 'With all trouble over, the database is not as it was asked for in time.',
  has_settings:
    'All is well, and a process or its valkey.conf has not the settings, or the users, that were asked for.',
  drains: 'All is well, and a machine that is being emptied still has nodes, or one has nodes that were replaced.',
  settles: 'All is well, and still steps are planned.',
  no_defect: 'A look at the database failed, or something impossible was asked of a node.',
} as const;
export type Invariant = keyof typeof INVARIANTS;

/** What broke an invariant; ends the run. */
export class Violation extends Error {
  readonly invariant: Invariant;

  constructor(invariant: Invariant, detail: string) {
    super(detail);
    this.invariant = invariant;
  }
}

/**
 * The engine's own failover leaves the old primary of a cut-off minority acknowledging until it notices, and so does a
 * coordinated one whose news is cut off: that long and no longer.
 */
const ENGINE_OVERLAP_MS = 2 * NODE_TIMEOUT_MS;

/** One owner per slot among those that could acknowledge. */
export class OneOwner {
  readonly #since = new Map<number, number>();
  readonly #owned = new WeakMap<Engine, { cause: Cause; at: number }>();
  /** Longest time of two owners by the engine's own doing, in milliseconds. */
  longestOverlapMs = 0;

  /** When it came to own slots. */
  ownedAt(engine: Engine): number {
    return this.#owned.get(engine)?.at ?? 0;
  }

  owns(engine: Engine, cause: Cause): void {
    this.#owned.set(engine, { cause, at: engine.now });
  }

  /** @param isExcused one that nobody could stop, since its agent was not there */
  check(engines: readonly Engine[], ranges: number, now: number, isExcused: (engine: Engine) => boolean): void {
    for (let range = 0; range < ranges; range += 1) {
      let first: Engine | null = null;
      let second: Engine | null = null;
      for (const engine of engines) {
        if (!engine.acknowledges(range)) continue;
        if (first) second = engine;
        else first = engine;
      }
      if (!first || !second) this.#since.delete(range);
      else if (!isExcused(first) && !isExcused(second)) this.#two(range, first, second, now);
    }
  }

  #two(range: number, a: Engine, b: Engine, now: number): void {
    const since = this.#since.get(range) ?? now;
    this.#since.set(range, since);
    const [one, other] = [this.#owned.get(a), this.#owned.get(b)];
    const latest = !other || (one && one.at > other.at) ? one : other;
    const cause = latest?.cause ?? 'birth';
    const byEngine = cause === 'election' || cause === 'coordinated';
    this.longestOverlapMs = Math.max(this.longestOverlapMs, now - since);
    if (byEngine && now - since <= ENGINE_OVERLAP_MS) return;
    throw new Violation(
      'one_owner',
      `${a.id.slice(0, 8)} and ${b.id.slice(0, 8)} both own range ${range}, the latter by ${cause}`,
    );
  }
}
