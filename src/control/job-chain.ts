/**
 * The jobs of one move of slots, some at once. The next begin as soon as those before are over, without another look at
 * everything, as long as the looks meanwhile find nothing in their way; else a look decides.
 *
 *     jobs ─> over, and a look since their beginning was clear ─> the same step again ─> jobs ─> ... ─> none left: look
 */
import type { Database } from '../domain/database.ts';
import type { SlotRange } from '../domain/slots.ts';
import type { Step } from '../plan/step.ts';
import type { Clock } from '../platform/clock.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import { slotMigrations } from '../valkey/slot-migrations.ts';

/** At the jobs. */
const LOOK_MS = 15;

export type MoveStep = Extract<Step, { kind: 'move_slots' }>;

/** So many jobs that were begun together for a step, by what was known then. */
export interface Begun {
  step: MoveStep;
  database: Database;
  source: NodeCommands;
  jobs: number;
  /** What the source has of the step's slots beside those of the jobs. */
  left: readonly SlotRange[];
}

export interface ChainSurroundings {
  clock: Clock;
  /** Resolves when no look is under way. */
  idle: () => Promise<void>;
  /** The record as it is now. */
  record: () => Database | undefined;
  /** Carries the step out once more. */
  goOn: (step: MoveStep, database: Database) => void;
  /** Looks at everything. */
  wake: () => void;
}

export class JobChain {
  readonly #around: ChainSurroundings;
  #latest: Begun | null = null;
  /** When the last look began, if it found nothing in the way of a further job. */
  #clearAt = -Infinity;
  #closed = false;

  constructor(around: ChainSurroundings) {
    this.#around = around;
  }

  /** A look that began at `at`, by the clock, found nothing in the way of slots, or something. */
  looked(at: number, isClear: boolean): void {
    this.#clearAt = isClear ? at : -Infinity;
  }

  /** Follows jobs to their end. */
  async begun(job: Begun): Promise<void> {
    const { clock, idle, goOn, wake } = this.#around;
    this.#latest = job;
    const begunAt = clock.now();
    try {
      for (;;) {
        await clock.sleep(LOOK_MS);
        const jobs = await slotMigrations(job.source);
        if (this.#closed) return;
        if (jobs.some(({ state }) => state === 'active')) continue;
        if (jobs.slice(0, job.jobs).every(({ state }) => state === 'success')) break;
        return wake();
      }
    } catch {
      return; // its source does not answer: the next look sees why
    }
    await idle();
    if (this.#closed || this.#latest !== job) return;
    if (this.#clearAt < begunAt || !this.#isStillWanted(job)) return wake();
    const { args } = job.step;
    goOn({ ...job.step, args: { ...args, slots: job.left, inARow: args.inARow - job.jobs } }, job.database);
  }

  close(): void {
    this.#closed = true;
  }

  #isStillWanted({ step, database, jobs, left }: Begun): boolean {
    const record = this.#around.record();
    const isMore = left.length > 0 && step.args.inARow - jobs >= step.args.atOnce;
    return isMore && record?.generation === database.generation && record.reshard?.paused === false;
  }
}
