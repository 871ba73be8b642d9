/** Plays the faults of a round on the stage, within the budget, and mends everything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Budget } from './budget.ts';
import type { FaultTime } from './check/excuse.ts';
import { beginFault } from './faults/act.ts';
import type { FaultName } from './faults/names.ts';
import { NothingToHit } from './faults/nothing-to-hit.ts';
import { candidates, pickOf, type Target } from './faults/target.ts';
import { nowMs } from './history.ts';
import { shardName } from './picture.ts';
import type { PlannedFault, Round } from './scenario.ts';
import type { Stage } from './stage.ts';

const LOOK_MS = 1_000;
const TRY_MS = 250;
/** A fault that the budget forbids waits so long for it, and is left out then. */
const PATIENCE_MS = { alone: 30_000, overlapping: 3_000 };

/** A fault that was played, or why it was not. */
export interface PlayedFault extends FaultTime {
  name: FaultName;
  endedMs: number;
  leftOut: string | null;
}

export class Player {
  readonly #stage: Stage;
  readonly #progress: (line: string) => void;
  readonly #budget = new Budget();

  constructor(stage: Stage, progress: (line: string) => void) {
    this.#stage = stage;
    this.#progress = progress;
  }

  /** Resolves when every fault has ended, with all of them as scheduled. */
  async play({ faults, style }: Round): Promise<PlayedFault[]> {
    const watch = new AbortController();
    const watching = this.#watch(watch.signal);
    const beganMs = nowMs();
    // Also when one fails, all others are ended before anything else is done.
    const all = await Promise.allSettled(faults.map((fault) => this.#one(fault, style, beganMs)));
    watch.abort();
    await watching;
    return all.map((one) => {
      if (one.status === 'rejected') throw one.reason;
      return one.value;
    });
  }

  /** Keeps what is known of the fleet fresh. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const askedMs = nowMs();
      for (const shard of await this.#stage.look()) this.#budget.whole(shard, askedMs);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** One fault, from its time on the schedule to its end. */
  async #one(fault: PlannedFault, style: Round['style'], roundMs: number): Promise<PlayedFault> {
    const { name, atMs, forMs, pick } = fault;
    await sleep(Math.max(0, roundMs + atMs - nowMs()));
    const played: PlayedFault = { name, what: name, beganMs: nowMs(), endedMs: nowMs(), shards: [], leftOut: null };
    const tell = (words: string): void =>
      this.#progress(`  ${((nowMs() - roundMs) / 1_000).toFixed(1)} s  ${played.what}${words}`);
    const target = await this.#claim(played, fault, style);
    if (target === null) {
      tell(`, left out: ${played.leftOut}`);
      return played;
    }
    try {
      const end = await beginFault(name, target, this.#stage, pick);
      tell('');
      await sleep(forMs);
      await end();
    } catch (error) {
      if (!(error instanceof NothingToHit)) throw error;
      played.leftOut = error.message;
      tell(`, left out: ${played.leftOut}`);
    } finally {
      played.endedMs = nowMs();
      this.#budget.end(played, played.endedMs);
    }
    return played;
  }

  /** What is hit, taken from the budget as soon as that allows it; null, with why, when it does not in time. */
  async #claim(played: PlayedFault, { name, pick }: PlannedFault, style: Round['style']): Promise<Target | null> {
    const deadline = nowMs() + PATIENCE_MS[style];
    for (;;) {
      const { picture } = this.#stage;
      const all = candidates(name, picture);
      const allowed = all.filter(({ hit }) => this.#budget.refusal(hit, picture) === null);
      if (allowed.length > 0 && (style === 'overlapping' || this.#budget.quiet)) {
        const target = pickOf(allowed, pick);
        const touched = [...target.hit.copies, ...picture.copies.filter(({ machine }) => machine === target.other)];
        played.what = `${name}: ${target.what}`;
        played.shards = [...new Set(touched.map(shardName))];
        played.beganMs = nowMs();
        this.#budget.begin(played, target.hit);
        return target;
      }
      if (nowMs() > deadline) {
        const refusal = all[0] && this.#budget.refusal(all[0].hit, picture);
        played.leftOut = refusal ?? (all[0] ? 'not everything was whole' : 'nothing to hit');
        return null;
      }
      await sleep(TRY_MS);
    }
  }
}
