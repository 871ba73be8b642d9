/** Waiting for something to be so. */
import { setTimeout as sleep } from 'node:timers/promises';
import { nowMs } from './clock.ts';

const POLL_MS = 30;
const PATIENCE_MS = 120_000;

/** Asks until the answer is not null; what fails is asked again. @throws Error naming what did not come, and why */
export async function until<T>(what: string, ask: () => Promise<T | null>, patienceMs = PATIENCE_MS): Promise<T> {
  const deadline = nowMs() + patienceMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await ask();
      if (found !== null) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (nowMs() > deadline) throw new Error(`not within ${patienceMs / 1000} s: ${what}`, { cause: last });
    await sleep(POLL_MS);
  }
}
