/** The clock of a modelled process: nothing happens by it any more once the process is dead. */
import type { Clock } from '../../src/platform/clock.ts';
import type { Timeline } from './timeline.ts';

/** @param shows what it shows at a moment of virtual time. @param rate milliseconds of it a virtual millisecond */
export function processClock(
  timeline: Timeline,
  isAlive: () => boolean,
  shows: (virtualMs: number) => number,
  rate = 1,
): Clock {
  const timer = (delayMs: number, run: () => void) =>
    timeline.after(delayMs / rate, () => {
      if (!isAlive()) return;
      timeline.woke();
      run();
    });
  return {
    now: () => shows(timeline.now),
    timer,
    sleep: (delayMs) => new Promise((resolve) => timer(delayMs, resolve)),
  };
}
