/** How far slots are on their way, for people. */
import type { Database } from '../domain/database.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import { countSlots } from '../domain/slots.ts';
import type { ReshardState, ReshardStatus } from '../domain/status.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Problem } from './problems.ts';
import { activeJob, misplaced } from './reshard.ts';
import type { ShardTopology } from './topology.ts';

/**
 * Null when no slots are to move. The rate is that of the whole way so far.
 * @param paced what writers to the slots of the job are held to, in bytes a second; null: to nothing
 */
export function reshardStatus(
  { nodes, reshard }: Database,
  shards: readonly ShardTopology[],
  view: DatabaseView,
  problems: readonly Problem[],
  paced: number | null,
): ReshardStatus | null {
  if (reshard === null) return null;
  const { estimate, startedAt, cancels, before } = reshard;
  const left = misplaced(reshard, shards).reduce((sum, { slots }) => sum + countSlots(slots), 0);
  const slots = Math.max(estimate.slots, left);
  const seconds = Math.max(0.001, (view.at - startedAt) / 1_000);
  const slotsPerSecond = (slots - left) / seconds;
  const job = activeJob(view);
  return {
    state: stateOf(left, reshard.paused, problems),
    cancels,
    since: new Date(startedAt).toISOString(),
    from: before.shards,
    slots,
    left,
    slotsPerSecond,
    secondsLeft: slotsPerSecond > 0 ? Math.ceil(left / slotsPerSecond) : null,
    job: job && { ...describeJob(job, nodes), paced },
    estimate,
  };
}

function stateOf(left: number, isPaused: boolean, problems: readonly Problem[]): ReshardState {
  if (left === 0) return 'leaving';
  if (isPaused) return 'paused';
  return problems.some(({ code }) => code === 'reshard_stuck') ? 'stuck' : 'moving';
}

function describeJob({ source, target, slots, phase, remainingBytes }: SlotMigration, nodes: Database['nodes']) {
  const shardOf = (id: string): string => nodes.find((node) => node.id === id)?.shard ?? id;
  return { from: shardOf(source), to: shardOf(target), slots: countSlots(slots), phase, remainingBytes };
}
