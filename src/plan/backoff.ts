/** When a step may be tried again: after success once its effect had time to show, after failure ever later. */
import type { Outcome, Step } from './step.ts';

/** The engine needs about this long until what was done can be seen everywhere. */
const SETTLE_MS = 250;
const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5_000;
/** Steps remembered at most; more than any database ever has under way. */
const MAX_REMEMBERED = 10_000;

const keyOf = ({ kind, target, args }: Step): string => `${kind} ${target} ${JSON.stringify(args)}`;

export class Backoff {
  readonly #steps = new Map<string, { failures: number; notBefore: number }>();

  /** @param now milliseconds since the epoch */
  allows(step: Step, now: number): boolean {
    return now >= (this.#steps.get(keyOf(step))?.notBefore ?? 0);
  }

  /** Remembers what came of the step. */
  note(step: Step, { result }: Outcome, now: number): void {
    const key = keyOf(step);
    const failures = result === 'done' ? 0 : (this.#steps.get(key)?.failures ?? 0) + 1;
    const waitMs = failures === 0 ? SETTLE_MS : Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** (failures - 1));
    if (this.#steps.size >= MAX_REMEMBERED) this.#steps.clear();
    this.#steps.set(key, { failures, notBefore: now + waitMs });
  }
}
