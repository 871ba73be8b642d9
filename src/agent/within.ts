/** What is not waited for any longer. */
import type { Clock } from '../platform/clock.ts';

/** What comes of the work, or `late` when it has not come in time; the work goes on. A failure of it is one here. */
export async function within<T>(clock: Clock, timeoutMs: number, work: Promise<T>, late: T): Promise<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  const endDeadline = clock.timer(timeoutMs, () => resolve(late));
  try {
    return await Promise.race([work, promise]);
  } finally {
    endDeadline();
  }
}
