/**
 * The jobs of one move of slots, some at once. The next begin as soon as those before are over, without another look at
 * everything, as long as the looks meanwhile find nothing in their way; else a look decides. A source that has nothing left
 * to give still drops what it gave while the next one begins.
 *
 *     jobs ─> over, and a look since their beginning was clear ─> the same step again ─> jobs ─> ... ─> none left: look
 */
import type { Database } from '../domain/database.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import type { MoveStep } from '../plan/slot-moves.ts';
import type { SlotMove } from '../plan/step.ts';
import type { Clock } from '../platform/clock.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import { slotMigrations } from '../valkey/slot-migrations.ts';

/** At the jobs. */
const LOOK_MS = 15;

/** So many jobs that were begun together for a step, by what was known then. */
export interface Begun {
  step: MoveStep;
  database: Database;
  source: NodeCommands;
  jobs: number;
  /** What the source has left to give beside them. */
  left: readonly SlotMove[];
}

export interface ChainSurroundings {
  clock: Clock;
  /** Resolves when no look is under way. */
  idle: () => Promise<void>;
  /** The record as it is now. */
  record: () => Database | undefined;
  /** Carries the step out once more, unless a look has begun. */
  goOn: (step: MoveStep, database: Database) => void;
  /** Looks at everything. */
  wake: () => void;
}

/** Its target has all of it and is to take the slots: then its source drops the keys, and answers nobody meanwhile. */
const isGiven = ({ state, phase }: SlotMigration): boolean => state === 'success' || phase === 'failover-granted';

export class JobChain {
  readonly #around: ChainSurroundings;
  #latest: Begun | null = null;
  /** When the last look began, and what it says could follow. */
  #looked: { at: number; moves: readonly MoveStep[] } = { at: -Infinity, moves: [] };
  #closed = false;

  constructor(around: ChainSurroundings) {
    this.#around = around;
  }

  /** @param at by the clock, when the look began. @param moves nothing where something is in the way */
  looked(at: number, moves: readonly MoveStep[]): void {
    this.#looked = { at, moves };
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
        const begun = jobs.slice(0, job.jobs);
        if (begun.every(isGiven) && this.#isNextAnother(job)) break;
        if (jobs.some(({ state }) => state === 'active')) continue;
        if (begun.every(({ state }) => state === 'success')) break;
        return wake();
      }
    } catch {
      return; // its source does not answer: the next look sees why
    }
    await idle();
    if (this.#closed || this.#latest !== job) return;
    const next = this.#isStillWanted(job) && this.#looked.at >= begunAt ? this.#after(job) : null;
    if (next) goOn(next, job.database);
    else wake();
  }

  close(): void {
    this.#closed = true;
  }

  #isStillWanted({ database }: Begun): boolean {
    const record = this.#around.record();
    return record?.generation === database.generation && record.reshard?.paused === false;
  }

  /** The source of these jobs has nothing left, and another has. */
  #isNextAnother({ step, left }: Begun): boolean {
    return left.length === 0 && this.#looked.moves.some(({ target }) => target !== step.target);
  }

  /** The rest of what its source gives, or what another does. Of the same source the look saw more than there is now. */
  #after({ step, left }: Begun): MoveStep | null {
    const { moves } = this.#looked;
    if (moves.length === 0) return null;
    if (left.length > 0) return { ...step, args: { ...step.args, moves: left } };
    return moves.find(({ target }) => target !== step.target) ?? null;
  }
}
