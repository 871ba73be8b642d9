/** What nodes have told of the jobs of one reshard, laid together. Pure. */
import type { SlotMigration } from '../../../src/domain/reshard.ts';
import { EXPORT_STATES, IMPORT_STATES, type JobMoment, partsOf } from './pairs.ts';

/** One job, in the engine's words: as its source and its target told it last; null: nothing yet. */
export interface JobSeen {
  name: string;
  source: string;
  target: string;
  export: string | null;
  import: string | null;
}

const ORDER: Record<'export' | 'import', readonly string[]> = { export: EXPORT_STATES, import: IMPORT_STATES };

export class JobStates {
  readonly #old = new Set<string>();
  /** In the order in which they were first seen. */
  readonly #jobs = new Map<string, JobSeen>();

  /** What is known until now belongs to the past. */
  begin(): void {
    for (const name of this.#jobs.keys()) this.#old.add(name);
    this.#jobs.clear();
  }

  /** The answer of one node. */
  note(migrations: readonly SlotMigration[]): void {
    for (const { name, side, phase, source, target } of migrations.toReversed()) {
      if (this.#old.has(name)) continue;
      const known = this.#jobs.get(name) ?? { name, source, target, export: null, import: null };
      this.#jobs.set(name, { ...known, [side]: phase });
    }
  }

  /** The job that was seen first last. */
  get latest(): JobSeen | null {
    return [...this.#jobs.values()].at(-1) ?? null;
  }

  /** Whether the latest job, which is to be this one in the order of jobs or a later one, is in this state or past it. */
  hasReached(moment: JobMoment, number: number): boolean {
    const { latest } = this;
    if (!latest || this.#jobs.size < number) return false;
    const [side, state] = partsOf(moment) as ['export' | 'import', string];
    const seen = latest[side];
    return seen !== null && ORDER[side].indexOf(seen) >= ORDER[side].indexOf(state);
  }
}
