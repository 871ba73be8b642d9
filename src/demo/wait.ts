/** Nothing in the play is waited for without end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';

const POLL_MS = 20;

interface Deadline {
  /** What is waited for, in words. */
  what: string;
  timeoutMs: number;
  signal: AbortSignal;
}

const late = ({ what, timeoutMs }: Deadline, missing: string): ValkeeperError =>
  new ValkeeperError('demo_late', { what, seconds: timeoutMs / 1000, missing });

/** Lets time pass. @throws the signal's reason */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => {}); // it rejects with an error of its own
  signal.throwIfAborted();
}

/** The result of `work`. It is not stopped at the deadline: its client is, by whoever made it. @throws demo_late, the signal's reason */
export async function within<T>(work: Promise<T>, deadline: Deadline): Promise<T> {
  const { signal, timeoutMs } = deadline;
  const cut = Promise.withResolvers<never>();
  const onAbort = (): void => cut.reject(signal.reason);
  const timer = setTimeout(() => cut.reject(late(deadline, 'still busy')), timeoutMs);
  signal.addEventListener('abort', onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([work, cut.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Asks until nothing is missing.
 * @param missing what still is, in words; null when nothing
 * @returns what was seen then
 * @throws demo_late, the signal's reason, what `poll` throws
 */
export async function until<T>(
  poll: () => Promise<T>,
  missing: (seen: T) => string | null,
  deadline: Deadline,
): Promise<T> {
  const end = performance.now() + deadline.timeoutMs;
  for (;;) {
    deadline.signal.throwIfAborted();
    const seen = await poll();
    const lacking = missing(seen);
    if (lacking === null) return seen;
    if (performance.now() >= end) throw late(deadline, lacking);
    await sleep(POLL_MS);
  }
}
