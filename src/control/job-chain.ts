/**
 * The jobs of each source of slots, some at once. Its next begin as soon as those before are over, without another look at
 * everything, as long as the looks meanwhile find nothing in their way; else a look decides.
 *
 *     jobs ─> over, and a look since their beginning was clear ─> the same step again ─> jobs ─> ... ─> none left: look
 */
import type { Database } from '../domain/database.ts';
import type { NodeId } from '../domain/ids.ts';
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
  /** Carries the step out once more. @returns false when something else has begun first */
  goOn: (step: MoveStep, database: Database) => boolean;
  /** Looks at everything. */
  wake: () => void;
}

export class JobChain {
  readonly #around: ChainSurroundings;
  /** Of each source. */
  readonly #latest = new Map<NodeId, Begun>();
  /** When the last look began, and what it says could follow from the sources that give. */
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
    this.#latest.set(job.step.target, job);
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
    for (;;) {
      await idle();
      if (this.#closed || this.#latest.get(job.step.target) !== job) return;
      const next = this.#isStillWanted(job) && this.#looked.at >= begunAt ? this.#after(job) : null;
      if (next === null) return wake();
      if (goOn(next, job.database)) return;
    }
  }

  close(): void {
    this.#closed = true;
  }

  #isStillWanted({ database }: Begun): boolean {
    const record = this.#around.record();
    return record?.generation === database.generation && record.reshard?.paused === false;
  }

  /** The rest of what its source gives, as far as its targets have room by the word of the last look. */
  #after({ step, left }: Begun): MoveStep | null {
    const seen = this.#looked.moves.find(({ target }) => target === step.target)?.args.moves ?? [];
    const moves = left.flatMap(({ to, slots }) => {
      const room = seen.find((move) => move.to === to);
      return room ? [{ to, slots, inARow: room.inARow }] : [];
    });
    return moves.length > 0 ? { ...step, args: { ...step.args, moves } } : null;
  }
}
