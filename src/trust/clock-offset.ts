/**
 * Do two machines agree what time it is? Certificates and tokens have their times: with a clock far off they seem expired
 * or not yet valid, and "expired" sends people the wrong way. So who cannot get on with another looks at the clocks first.
 */
import { ValkeeperError } from '../domain/errors.ts';
import { BACKDATED_MS } from './limits.ts';

/** Clocks may be so far apart; certificates are dated back by as much. */
export const CLOCK_TOLERANCE_MS = BACKDATED_MS;

/** One question to a peer that told its time; all in milliseconds since the epoch, by our clock but for `theirs`. */
export interface ClockReading {
  readonly theirs: number;
  readonly askedAt: number;
  readonly answeredAt: number;
}

/** The time in an HTTP `Date` header; null when there is none or it is not one. It tells whole seconds. */
export function timeInDateHeader(header: string | undefined): number | null {
  const time = header === undefined ? Number.NaN : Date.parse(header);
  return Number.isNaN(time) ? null : time;
}

/**
 * By how much the peer's clock is ahead of ours, at the least; behind: below 0. What it took to ask is not held
 * against it: it may have answered at any moment in between.
 */
export function clockOffsetMs({ theirs, askedAt, answeredAt }: ClockReading): number {
  if (theirs > answeredAt) return theirs - answeredAt;
  return theirs < askedAt ? theirs - askedAt : 0;
}

/** What to tell when the clocks are too far apart (`clock_off`); null when they are not. */
export function clockError(peer: string, reading: ClockReading): ValkeeperError | null {
  const offsetMs = clockOffsetMs(reading);
  if (Math.abs(offsetMs) <= CLOCK_TOLERANCE_MS) return null;
  return new ValkeeperError('clock_off', {
    peer,
    offset: describeMs(Math.abs(offsetMs)),
    direction: offsetMs > 0 ? 'ahead of' : 'behind',
    limit: describeMs(CLOCK_TOLERANCE_MS),
  });
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const;

/** `1 h 2 min`: the largest unit that fits and the next one. */
function describeMs(ms: number): string {
  const first = Math.max(
    0,
    UNITS.findIndex(([, size]) => ms >= size),
  );
  let left = ms;
  const parts: string[] = [];
  for (const [unit, size] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count > 0) parts.push(`${count} ${unit}`);
  }
  return parts.join(' ') || '0 s';
}
