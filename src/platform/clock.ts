/** Time as a port: what waits or looks at the clock takes one, so that a test can let hours pass in a moment. */

/** Ends a wait; nothing is left behind then. */
export type EndTimer = () => void;

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `run` once, after `delayMs`. */
  timer(delayMs: number, run: () => void): EndTimer;
  /** Resolves after `delayMs`. */
  sleep(delayMs: number): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: Date.now,
  timer: (delayMs, run) => {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
  sleep: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
};

/** As `systemClock`, but what it shows never jumps: ms since some moment of the past. For how long things last. */
export const monotonicClock: Clock = { ...systemClock, now: () => performance.now() };
