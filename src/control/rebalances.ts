/** The same shards with other slots, so that each carries its share of the load, or of the memory. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { JobPace, Reshard } from '../domain/reshard.ts';
import { SLOT_COUNT, sumOf } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { TOLERANCE } from '../plan/slots/spread.ts';
import type { HotspotsDocument, RebalanceDocument, RebalanceWish } from '../protocol/api.ts';

import { weighAndListen } from './expected-pace.ts';
import { hotspotsIn, mostOfASlot, USEC_PER_PERCENT } from './hotspots.ts';
import { hottestKeys } from './hottest-keys.ts';
import type { Observer } from './observer.ts';
import { wayTo } from './reshard-way.ts';
import { type ReshardSurroundings, refuseWhileMoving } from './reshards.ts';
import { measureSlots } from './slot-loads.ts';
import type { SlotWeights } from './slot-weights.ts';

/** Commands that take less than this of one processor are no load to move slots for: what was measured would be chance. */
const LEAST_PERCENT = 0.05;

export interface RebalanceSurroundings extends ReshardSurroundings {
  observer: Observer;
}

export class Rebalances {
  readonly #around: RebalanceSurroundings;

  constructor(around: RebalanceSurroundings) {
    this.#around = around;
  }

  /** @throws what `ControlPlane.rebalance` throws */
  async rebalance(name: string, wish: RebalanceWish): Promise<RebalanceDocument> {
    const { clock, databases, jobTimes, observer, requireRunning } = this.#around;
    requireRunning();
    const present = databases.get(name);
    refuseWhileMoving(present);
    const { loads, weights, pace } = await this.#weighed(present, await observer.observe(present), wish);
    const names = [...weights.owners.keys()];
    const reshard = wayTo(present, present.spec, weights, {
      names,
      loads,
      now: clock.now(),
      pace,
      jobSeconds: jobTimes.secondsOf(pace),
    });
    const moves = reshard.estimate.slots > 0;
    if (moves && !wish.dryRun) await this.#begin(present, reshard, wish.by);
    const shares = {
      before: sharesOf(loads, weights.owners),
      after: sharesOf(loads, new Map(Object.entries(reshard.goal))),
    };
    return {
      database: name,
      ...{ by: wish.by, seconds: wish.by === 'cpu' ? wish.seconds : 0, tolerance: TOLERANCE },
      shards: names.map((shard) => ({ shard, before: shares.before.get(shard)!, after: shares.after.get(shard)! })),
      imbalance: { before: imbalanceOf(shares.before), after: imbalanceOf(shares.after) },
      tooHot: tooHot(loads, weights, reshard.goal),
      estimate: moves ? reshard.estimate : null,
      begun: moves && !wish.dryRun,
    };
  }

  /** Unless something else was asked for while it was measured. */
  async #begin({ name, generation }: Database, reshard: Reshard, by: RebalanceWish['by']): Promise<void> {
    const { databases, record, wake } = this.#around;
    await databases.change(name, (one) => {
      refuseWhileMoving(one);
      if (one.generation !== generation) {
        throw new ValkeeperError('reshard_refused', { name, reason: 'it was changed while its load was measured' });
      }
      return { ...one, reshard, generation: generation + 1 };
    });
    const message = `${reshard.estimate.slots} slots of ${name} are to change their shards, so that each has its share of the ${NAMES[by]}.`;
    record({ kind: 'rebalance_asked', severity: 'info', database: name, message });
    wake(name);
  }

  /** @throws what `ControlPlane.hotspots` throws */
  async hotspots(name: string, { seconds, slots }: { seconds: number; slots: number }): Promise<HotspotsDocument> {
    const { clock, databases, engines, observer } = this.#around;
    const present = databases.get(name);
    const measured = await measureSlots(engines, clock, present, await observer.observe(present), seconds);
    const found = hotspotsIn(measured, slots);
    const keys = await hottestKeys(
      engines,
      present,
      measured.shards,
      found.slots.map(({ slot }) => slot),
    );
    return {
      ...{ database: name, seconds, shards: found.shards },
      slots: found.slots.map((slot) => ({ ...slot, hottestKeys: keys.get(slot.slot) ?? [] })),
    };
  }

  /** What slots hold, and what is to be spread: that, or what their commands cost now. */
  async #weighed(
    present: Database,
    view: DatabaseView,
    { by, seconds }: RebalanceWish,
  ): Promise<{ loads: Float64Array; weights: SlotWeights; pace: JobPace }> {
    const { clock, engines } = this.#around;
    const weigh = () => weighAndListen(this.#around, present, view, present.spec.pace);
    if (by === 'memory') {
      const weighed = await weigh();
      return { ...weighed, loads: weighed.weights.bytes };
    }
    const { cpu, commandsUsec } = await measureSlots(engines, clock, present, view, seconds);
    const percent = commandsUsec / USEC_PER_PERCENT;
    if (percent < LEAST_PERCENT) {
      const figures = { seconds, percent: Math.round(percent * 100) / 100 };
      throw new ValkeeperError('no_load', { name: present.name, ...figures });
    }
    return { ...(await weigh()), loads: cpu };
  }
}

const NAMES: Record<RebalanceWish['by'], string> = { cpu: 'processor time', memory: 'memory' };

type Owners = SlotWeights['owners'];

/** What each shard has of the whole, 0 to 1. */
function sharesOf(loads: Float64Array, owners: Owners): Map<string, number> {
  const total = loads.reduce((sum, one) => sum + one, 0);
  return new Map([...owners].map(([shard, slots]) => [shard, total === 0 ? 0 : sumOf(loads, slots) / total]));
}

/** The largest share as a multiple of the mean. */
const imbalanceOf = (shares: ReadonlyMap<string, number>): number => Math.max(...shares.values()) * shares.size;

/** Slots that alone are more than a shard's share: no spread helps. */
function tooHot(
  loads: Float64Array,
  { owners }: SlotWeights,
  goal: Record<string, readonly (readonly [number, number])[]>,
) {
  const total = loads.reduce((sum, one) => sum + one, 0);
  const most = mostOfASlot(total, owners.size);
  const shardOf = (slot: number): string =>
    Object.keys(goal).find((name) => goal[name]!.some(([from, to]) => from <= slot && slot <= to))!;
  return Array.from({ length: SLOT_COUNT }, (_, slot) => slot)
    .filter((slot) => loads[slot]! > most)
    .sort((a, b) => loads[b]! - loads[a]!)
    .map((slot) => ({ slot, shard: shardOf(slot), share: loads[slot]! / total }));
}
