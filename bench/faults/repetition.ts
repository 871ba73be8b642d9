/** One repetition: the load begins, the fault strikes, a write is accepted again, all is mended and read back. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SlotRange } from '../../src/domain/slots.ts';
import type { Fault, Seen, Struck } from './acts.ts';
import { nowMs } from './clock.ts';
import { type Finding, judge, type ReadBack, type Write } from './history.ts';
import type { Load } from './load.ts';
import type { Shard, System } from './system.ts';
import { tagsOf } from './tags.ts';

/** The load runs so long before the fault, and after the first write that is accepted again. */
const BEFORE_MS = 300;
const AFTER_MS = 200;
/** What has not come by then does not come. */
const PATIENCE_MS = 90_000;
const TAGS_PER_SHARD = 4;

export interface Repetition {
  number: number;
  finding: Finding;
  seen: Seen;
  /** From the fault until every copy is in sync again. */
  wholeMs: number;
  /** All of it, with what lies between two. */
  tookMs: number;
}

/** Everything that was logged of it. */
export interface Raw {
  blow: Struck['blow'];
  writes: Write[];
  readBack: ReadBack;
}

export interface Plan {
  system: System;
  load: Load;
  fault: Fault;
  perSecond: number;
  /** Keys begin with it. */
  prefix: string;
  /** The slots that are written to, shard by shard; those of the shards where nothing is said. */
  slotsOf?: (shards: readonly Shard[], shard: number) => readonly (readonly SlotRange[])[];
  /** Nothing is accepted before the fault is mended: it is mended first. */
  untilMended?: boolean;
  /** Acknowledged writes that are removed before reading back, to see that it is noticed. */
  spoil: number;
}

/** Strikes the shard at this place among the shards. */
export async function repeatOnce(
  plan: Plan,
  number: number,
  shard: number,
): Promise<{ repetition: Repetition; raw: Raw }> {
  const { system, load, perSecond, fault } = plan;
  const startedAt = nowMs();
  const shards = await system.shards();
  const slots = plan.slotsOf?.(shards, shard) ?? shards.map((one) => one.slots);
  await load.begin(`${plan.prefix}:${number}`, perSecond, tagsOf(slots, TAGS_PER_SHARD));
  if ((await load.accepted(shard, 0, PATIENCE_MS)) === null) throw new Error('nothing is accepted before the fault');
  await sleep(BEFORE_MS);
  const struck = await fault(system, shards, shard);
  const { blow } = struck;
  for (const hit of plan.untilMended ? [] : blow.shards) await load.accepted(hit, blow.deadAt, PATIENCE_MS);
  await struck.lasts;
  if (plan.untilMended) {
    await struck.mend();
    for (const hit of blow.shards) await load.accepted(hit, blow.deadAt, PATIENCE_MS);
  }
  await sleep(AFTER_MS);
  const writes = await load.end();
  if (!plan.untilMended) await struck.mend();
  await system.whole(struck.gone);
  const wholeMs = nowMs() - blow.at;
  const readBack = await load.verify(plan.spoil);
  await struck.afterwards?.();
  const finding = judge(writes, blow, readBack);
  return {
    repetition: { number, finding, seen: struck.seen, wholeMs, tookMs: nowMs() - startedAt },
    raw: { blow, writes, readBack },
  };
}
