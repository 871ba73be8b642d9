/** The same shards with other slots, so that each carries its share of the load, or of the memory. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { SLOT_COUNT, slotsIn } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { sumOf } from '../plan/reshard-estimate.ts';
import { TOLERANCE } from '../plan/slots/spread.ts';
import type { HotspotsDocument, RebalanceDocument, RebalanceWish } from '../protocol/api.ts';
import { hotspotsIn } from './hotspots.ts';
import { hottestKeys } from './hottest-keys.ts';
import type { Observer } from './observer.ts';
import { wayTo } from './reshard-way.ts';
import type { ReshardSurroundings } from './reshards.ts';
import { measureSlots } from './slot-loads.ts';
import { type SlotWeights, weighSlots } from './slot-weights.ts';

/** Commands that take less than this of one processor are no load to move slots for: what was measured would be chance. */
const LEAST_PERCENT = 0.05;
const USEC_PER_PERCENT = 10_000;

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
    const { clock, databases, observer, record, requireRunning, wake } = this.#around;
    requireRunning();
    const present = databases.get(name);
    refuseWhileMoving(present);
    const view = await observer.observe(present);
    const { loads, weights } = await this.#weighed(present, view, wish);
    const names = [...weights.owners.keys()];
    const reshard = wayTo(present, present.spec, weights, { names, loads, now: clock.now() });
    const moves = reshard.estimate.slots > 0;
    if (moves && !wish.dryRun) {
      await databases.change(name, (one) => {
        refuseWhileMoving(one);
        if (one.generation !== present.generation) {
          throw new ValkeeperError('reshard_refused', { name, reason: 'it was changed while its load was measured' });
        }
        return { ...one, reshard, generation: one.generation + 1 };
      });
      const { slots } = reshard.estimate;
      const message = `${slots} slots of ${name} are to change their shards, so that each has its share of the ${NAMES[wish.by]}.`;
      record({ kind: 'rebalance_asked', severity: 'info', database: name, message });
      wake(name);
    }
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
  ): Promise<{ loads: Float64Array; weights: SlotWeights }> {
    const { clock, engines } = this.#around;
    if (by === 'memory') {
      const weights = await weighSlots(engines, present, view);
      return { weights, loads: weights.bytes };
    }
    const { cpu, commandsUsec } = await measureSlots(engines, clock, present, view, seconds);
    const percent = commandsUsec / USEC_PER_PERCENT;
    if (percent < LEAST_PERCENT) {
      const figures = { seconds, percent: Math.round(percent * 100) / 100 };
      throw new ValkeeperError('no_load', { name: present.name, ...figures });
    }
    return { weights: await weighSlots(engines, present, view), loads: cpu };
  }
}

const NAMES: Record<RebalanceWish['by'], string> = { cpu: 'processor time', memory: 'memory' };

function refuseWhileMoving({ name, deleting, reshard, spec, observedGeneration }: Database): void {
  if (deleting) throw new ValkeeperError('being_deleted', { name });
  if (reshard) throw new ValkeeperError('reshard_running', { name, shards: spec.shards });
  if (observedGeneration > 0) return;
  throw new ValkeeperError('reshard_refused', { name, reason: 'it is still being created' });
}

type Owners = SlotWeights['owners'];

/** What each shard has of the whole, 0 to 1. */
function sharesOf(loads: Float64Array, owners: Owners): Map<string, number> {
  const total = loads.reduce((sum, one) => sum + one, 0);
  return new Map([...owners].map(([shard, slots]) => [shard, total === 0 ? 0 : sumOf(loads, slotsIn(slots)) / total]));
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
  const most = (total / owners.size) * (1 + TOLERANCE);
  const shardOf = (slot: number): string =>
    Object.keys(goal).find((name) => goal[name]!.some(([from, to]) => from <= slot && slot <= to))!;
  return Array.from({ length: SLOT_COUNT }, (_, slot) => slot)
    .filter((slot) => loads[slot]! > most)
    .sort((a, b) => loads[b]! - loads[a]!)
    .map((slot) => ({ slot, shard: shardOf(slot), share: loads[slot]! / total }));
}
