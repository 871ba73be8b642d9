/**
 * Writes at a steady pace, whether or not earlier ones have been answered, as independent users would send them. Each
 * writes a key of its own, so that afterwards it can be told which of the acknowledged ones are still there.
 */

const TICK_MS = 1;
/** Writes without an answer; beyond it none are sent until some are answered. */
const MAX_UNANSWERED = 4_000;

/** Writes one key. @throws when it is not acknowledged */
export type Write = (key: string, value: string) => Promise<void>;

export interface Attempt {
  key: string;
  value: string;
  /** `performance.now()`. */
  sentAt: number;
  /** When it was acknowledged or refused; null while neither. */
  answeredAt: number | null;
  /** Why it was not acknowledged, in the error's first words. */
  error: string | null;
}

export interface Load {
  attempts: readonly Attempt[];
  /** The first acknowledged write among those sent after this moment, for keys that `concerns` accepts. */
  accepted(after: number, concerns: (key: string) => boolean): Promise<Attempt>;
  /** Sends no more and waits until every write has been answered. */
  stop(): Promise<void>;
}

/** Starts to write `perSecond` keys, named by `keyOf` the number of the write. */
export function startLoad(perSecond: number, keyOf: (number: number) => string, write: Write): Load {
  const attempts: Attempt[] = [];
  const unanswered = new Set<Promise<void>>();
  const watchers = new Set<(attempt: Attempt) => void>();
  const startedAt = performance.now();

  const send = (): void => {
    const number = attempts.length;
    const attempt: Attempt = {
      key: keyOf(number),
      value: `${number}`,
      sentAt: performance.now(),
      answeredAt: null,
      error: null,
    };
    attempts.push(attempt);
    const answered = write(attempt.key, attempt.value)
      .catch((error: Error) => {
        attempt.error = error.message.split(/[\s:]/, 1)[0]!;
      })
      .then(() => {
        attempt.answeredAt = performance.now();
        unanswered.delete(answered);
        for (const tell of watchers) tell(attempt);
      });
    unanswered.add(answered);
  };

  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1000);
    while (attempts.length < due && unanswered.size < MAX_UNANSWERED) send();
  }, TICK_MS);

  return {
    attempts,
    accepted: (after, concerns) =>
      new Promise((resolve) => {
        const watch = (attempt: Attempt): void => {
          if (attempt.error !== null || attempt.sentAt < after || !concerns(attempt.key)) return;
          watchers.delete(watch);
          resolve(attempt);
        };
        watchers.add(watch);
      }),
    stop: async () => {
      clearInterval(timer);
      await Promise.all(unanswered);
    },
  };
}
