/** Plays the faults of a round on the stage, within the budget, and mends everything. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Budget } from './budget.ts';
import type { FaultTime } from './check/excuse.ts';
import { beginFault } from './faults/act.ts';
import type { FaultName } from './faults/names.ts';
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
  #running = 0;

  constructor(stage: Stage, progress: (line: string) => void) {
    this.#stage = stage;
    this.#progress = progress;
  }

  /** Resolves when every fault has ended. */
  async play({ faults, style }: Round): Promise<PlayedFault[]> {
    const watch = new AbortController();
    const watching = this.#watch(watch.signal);
    const played: PlayedFault[] = [];
    const ends: Promise<void>[] = [];
    const beganMs = nowMs();
    for (const fault of faults) {
      await sleep(Math.max(0, beganMs + fault.atMs - nowMs()));
      const target = await this.#find(fault, style);
      const entry: PlayedFault = {
        ...{ name: fault.name, what: fault.name, beganMs: nowMs(), endedMs: nowMs(), shards: [], leftOut: null },
      };
      played.push(entry);
      if (typeof target === 'string') entry.leftOut = target;
      else await this.#begin(fault, target, entry, ends);
      const { what, leftOut } = entry;
      this.#progress(
        `  ${((nowMs() - beganMs) / 1_000).toFixed(1)} s  ${what}${leftOut === null ? '' : `, left out: ${leftOut}`}`,
      );
    }
    await Promise.all(ends);
    watch.abort();
    await watching;
    return played;
  }

  /** Keeps what is known of the fleet fresh. */
  async #watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const askedMs = nowMs();
      for (const shard of await this.#stage.look()) this.#budget.whole(shard, askedMs);
      await sleep(LOOK_MS, undefined, { signal }).catch(() => {});
    }
  }

  /** What is to be hit, once the budget allows it; else why not. */
  async #find({ name, pick }: PlannedFault, style: Round['style']): Promise<Target | string> {
    const deadline = nowMs() + PATIENCE_MS[style];
    for (;;) {
      const { picture } = this.#stage;
      const all = candidates(name, picture);
      const allowed = all.filter(({ hit }) => this.#budget.refusal(hit, picture) === null);
      const free = style === 'overlapping' || this.#running === 0;
      if (free && allowed.length > 0) return pickOf(allowed, pick);
      if (nowMs() > deadline)
        return all[0] ? (this.#budget.refusal(all[0].hit, picture) ?? 'another one goes on') : 'nothing to hit';
      await sleep(TRY_MS);
    }
  }

  /** Begins it, and adds to `ends` what resolves at its end. */
  async #begin({ name, forMs, pick }: PlannedFault, target: Target, entry: PlayedFault, ends: Promise<void>[]) {
    const { copies } = this.#stage.picture;
    const touched = [...target.hit.copies, ...copies.filter(({ machine }) => machine === target.other)];
    entry.shards = [...new Set(touched.map(shardName))];
    entry.what = `${name}: ${target.what}`;
    this.#budget.begin(entry, target.hit);
    this.#running += 1;
    const over = (): void => {
      entry.endedMs = nowMs();
      this.#budget.end(entry, entry.endedMs);
      this.#running -= 1;
    };
    try {
      const end = await beginFault(name, target, this.#stage, pick);
      ends.push(sleep(forMs).then(end).finally(over));
    } catch (error) {
      entry.leftOut = (error as Error).message;
      over();
    }
  }
}
