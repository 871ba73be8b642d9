/**
 * Whether those who write to slots on their way are to be paced, and to what: a job hands over only when all that was
 * written to its slots meanwhile has been sent on, which never comes where more is written than is sent. Decided from
 * look to look; nothing of it is stored, so whoever looks next begins anew.
 */
import type { SlotMigration } from '../domain/reshard.ts';

/** A job as it was when it was last judged, and what came of it. */
export interface JobPacing {
  readonly job: string;
  /** When it was judged, and what was left then. */
  readonly since: number;
  readonly leftBytes: number;
  /** So much a second may be written through each endpoint to the slots of the job; null: as much as comes. */
  readonly bytesPerSecond: number | null;
}

/** How long a pace is tried before the next. */
const TRY_MS = 1_000;
/** A rest that shrinks so that it is gone within this time is let be. */
const SOON_MS = 3_000;
/** So little is left of what comes all the time: a job that is not over with it is waiting for a gap. */
const LITTLE_BYTES = 1024 ** 2;
/** Nobody is slowed below this: what writes less than that keeps no job from its end. */
const LEAST_BYTES_PER_SECOND = 256 * 1024;

/** Engine's words: its snapshot is sent, and then what was written meanwhile; writes wait at the source already. */
const SENDING = new Set(['replicating', 'waiting-to-pause']);
const HANDING_OVER = new Set(['failover-paused', 'failover-granted']);

/**
 * The next judgement, after one look. Half of what its source receives, when the rest does not shrink; half of that again
 * each further second; no more once the job is over.
 * @param job the one that is under way, by its source's word where that answers
 * @param receivedBytesPerSecond what clients send its source, of late: all of it, so at least what is written to the slots
 */
export function nextPacing(
  before: JobPacing | null,
  job: SlotMigration | null,
  receivedBytesPerSecond: number,
  now: number,
): JobPacing | null {
  if (job === null) return null;
  const known = before?.job === job.name ? before : null;
  // Of the rest, and of these states, only the source can tell.
  if (job.side === 'import' || HANDING_OVER.has(job.phase)) return known;
  if (!SENDING.has(job.phase)) return null;
  const judged = { job: job.name, since: now, leftBytes: job.remainingBytes };
  if (known === null) return { ...judged, bytesPerSecond: null };
  if (now - known.since < TRY_MS) return known;
  if (isSoonOver(known, job.remainingBytes, now)) return { ...judged, bytesPerSecond: known.bytesPerSecond };
  const half = Math.round((known.bytesPerSecond ?? receivedBytesPerSecond) / 2);
  return { ...judged, bytesPerSecond: Math.max(LEAST_BYTES_PER_SECOND, half) };
}

/** At the rate of the time since it was judged last. */
function isSoonOver({ leftBytes: before, since }: JobPacing, leftBytes: number, now: number): boolean {
  if (leftBytes <= LITTLE_BYTES || leftBytes >= before) return false;
  return (leftBytes / (before - leftBytes)) * (now - since) <= SOON_MS;
}
