/** Has the endpoints slow down who writes to slots on their way, as long as their job would not end otherwise. */
import type { Database } from '../domain/database.ts';
import type { NewEvent } from '../domain/event.ts';
import type { SlotMigration } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { countSlots } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { type JobPacing, nextPacing } from '../plan/pacing.ts';
import { activeJob } from '../plan/reshard.ts';
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
  #pacing: JobPacing | null = null;
  #toldAt = 0;

  constructor(options: PacerOptions) {
    this.#options = options;
  }

  /** To be called at each look. @returns the pace in bytes a second, null for none */
  look(database: Database, view: DatabaseView): number | null {
    const { pace, record } = this.#options;
    const { uid } = database;
    const before = this.#pacing;
    const job = activeJob(view);
    const received = (job && view.nodes.get(job.source)?.receivedBytesPerSecond) ?? 0;
    this.#pacing = nextPacing(before, job, received, view.at);
    const former = before?.bytesPerSecond ?? null;
    const bytesPerSecond = this.#pacing?.bytesPerSecond ?? null;
    if (bytesPerSecond === null || job === null) {
      if (former !== null) pace({ database: uid, slots: [], bytesPerSecond: null });
      return null;
    }
    if (bytesPerSecond === former && view.at - this.#toldAt < TELL_AGAIN_MS) return bytesPerSecond;
    this.#toldAt = view.at;
    pace({ database: uid, slots: job.slots, bytesPerSecond });
    if (former === null) record(writersPaced(database, job, bytesPerSecond));
    return bytesPerSecond;
  }
}

function writersPaced({ nodes }: Database, job: SlotMigration, bytesPerSecond: number): NewEvent {
  const { source, target, remainingBytes } = job;
  const shardOf = (id: string): string => nodes.find((node) => node.id === id)?.shard ?? id;
  const slots = countSlots(job.slots);
  const what = `Writers to ${slots} slots on their way from ${shardOf(source)} to ${shardOf(target)} are paced, to ${formatSize(bytesPerSecond)}/s at each endpoint at first`;
  const message = `${what}: more is written to these slots than is sent on, so the job would not end.`;
  return { kind: 'writers_paced', severity: 'warning', message, details: { slots, bytesPerSecond, remainingBytes } };
}
