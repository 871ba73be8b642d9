/** Slots on their way, in words. */
import type { ReshardEstimate } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import type { DatabaseStatus, ReshardStatus } from '../domain/status.ts';
import { counted } from '../domain/template.ts';

/** One line: how far, how fast, how long yet. */
export function describeReshard({ name, spec, reshard }: Pick<DatabaseStatus, 'name' | 'spec' | 'reshard'>): string {
  if (reshard === null) return `No slots of ${name} are on their way.`;
  const { slots, left, state, slotsPerSecond, secondsLeft, job } = reshard;
  const way = wayOf(spec.shards, reshard);
  const done = slots === 0 ? 100 : Math.floor(((slots - left) / slots) * 100);
  return [
    `${name}${way}: ${state}, ${done} % of ${slots} slots are there`,
    ...(slotsPerSecond > 0 ? [`${Math.round(slotsPerSecond)} slots a second`] : []),
    ...(secondsLeft !== null && left > 0 ? [`${secondsLeft} s left`] : []),
    ...(job ? [`now ${job.slots} slots from ${job.from} to ${job.to} (${job.phase})`] : []),
    ...(job?.paced != null ? [`writers paced to ${formatSize(job.paced)}/s`] : []),
  ].join(', ');
}

const wayOf = (shards: number, { from, cancels }: ReshardStatus): string => {
  if (from === shards) return cancels ? ' back to its former slots' : '';
  return `${cancels ? ' back' : ''} to ${counted(shards, 'shard')}`;
};

/** What was to be expected when it began. */
export const describeEstimate = ({
  slots,
  keys,
  bytes,
  jobs,
  seconds,
  peakBytes,
  longestWaitMs,
}: ReshardEstimate): string =>
  [
    `${slots} slots with ${counted(keys, 'key')} and ${formatSize(bytes)} move in ${counted(jobs, 'job')}: about ${seconds} s`,
    `a command waits about ${longestWaitMs} ms at the end of a job, more where processors are busy`,
    `a shard has ${formatSize(peakBytes)} of data at most meanwhile`,
  ].join('; ');
