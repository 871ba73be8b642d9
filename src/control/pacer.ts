/** Has the endpoints slow down who writes to slots on their way, as long as their job would not end otherwise. */
import { isDeepStrictEqual } from 'node:util';
import type { Database } from '../domain/database.ts';
import type { NewEvent } from '../domain/event.ts';
import type { NodeId } from '../domain/ids.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { countSlots } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { type JobPacing, nextPacing } from '../plan/pacing.ts';
import { activeJobs } from '../plan/reshard.ts';
import { PACE_HOLDS_MS, type WriterPace } from '../protocol/endpoint-messages.ts';

/** A pace that holds is told again in time: one message may be lost. */
const TELL_AGAIN_MS = PACE_HOLDS_MS / 3;

export interface PacerOptions {
  /** Tells all endpoints. */
  pace: (pace: WriterPace) => void;
  record: (event: NewEvent) => void;
}

export class Pacer {
  readonly #options: PacerOptions;
  /** Of the furthest job of each source. */
  #pacings: ReadonlyMap<NodeId, JobPacing> = new Map();
  #told: WriterPace | null = null;
  #toldAt = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** To be called at each look. @returns the pace in bytes a second, null for none */
  look(database: Database, view: DatabaseView): number | null {
    const judged = furthestJobs(view).map((job) => {
      const received = view.nodes.get(job.source)?.receivedBytesPerSecond ?? 0;
      return { job, pacing: nextPacing(this.#pacings.get(job.source) ?? null, job, received, view.at) };
    });
    const paced = judged.flatMap(({ job, pacing }) =>
      pacing?.bytesPerSecond ? [{ job, bytesPerSecond: pacing.bytesPerSecond }] : [],
    );
    for (const { job, bytesPerSecond } of paced) {
      const before = this.#pacings.get(job.source);
      if (before?.job === job.name && before.bytesPerSecond !== null) continue;
      this.#options.record(writersPaced(database, job, bytesPerSecond));
    }
    this.#pacings = new Map(judged.flatMap(({ job, pacing }) => (pacing ? [[job.source, pacing]] : [])));
    this.#tell(
      {
        database: database.uid,
        slots: paced.flatMap(({ job }) => job.slots),
        bytesPerSecond: paced.length > 0 ? Math.min(...paced.map(({ bytesPerSecond }) => bytesPerSecond)) : null,
      },
      view.at,
    );
    return this.#told?.bytesPerSecond ?? null;
  }

  /** Every change at once, and what holds again in time. */
  #tell(pace: WriterPace, now: number): void {
    const isNews = !isDeepStrictEqual(pace, this.#told ?? { ...pace, slots: [], bytesPerSecond: null });
    const isDue = pace.bytesPerSecond !== null && now - this.#toldAt >= TELL_AGAIN_MS;
    if (!isNews && !isDue) return;
    this.#told = pace;
    this.#toldAt = now;
    this.#options.pace(pace);
  }
}

/** Of each source that gives. */
const furthestJobs = (view: DatabaseView): SlotMigration[] => [
  ...new Map(
    activeJobs(view)
      .map((job) => [job.source, job] as const)
      .reverse(),
  ).values(),
];

function writersPaced({ nodes }: Database, job: SlotMigration, bytesPerSecond: number): NewEvent {
  const { source, target, remainingBytes } = job;
  const shardOf = (id: string): string => nodes.find((node) => node.id === id)?.shard ?? id;
  const slots = countSlots(job.slots);
  const what = `Writers to ${slots} slots on their way from ${shardOf(source)} to ${shardOf(target)} are paced, to ${formatSize(bytesPerSecond)}/s at each endpoint at first`;
  const message = `${what}: more is written to these slots than is sent on, so the job would not end.`;
  return { kind: 'writers_paced', severity: 'warning', message, details: { slots, bytesPerSecond, remainingBytes } };
}
