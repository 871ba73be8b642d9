/**
 * The records of failovers that this agent made. Each is told to the control plane as soon as it is complete, and again
 * after each welcome until the control plane says that it has it; until then it also lies in the machine's folder.
 * History only: what goes wrong here is logged and stops no failover.
 */
import { randomBytes } from 'node:crypto';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { FAILOVER_LIMITS, type FailoverRecord } from '../domain/failover.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import type { Logger } from '../platform/log.ts';
import type { FailoverTold } from '../protocol/agent-messages.ts';

const FILE = 'failovers.json';

/** What is known when a failover begins. */
export type FailoverBeginning = Pick<
  FailoverRecord,
  'database' | 'databaseUid' | 'shard' | 'cause' | 'node' | 'machine' | 'by'
>;

/** What is known when it is over. */
export type FailoverOutcome = Pick<FailoverRecord, 'candidates' | 'chosen' | 'mode' | 'result' | 'lostAtMostMs'>;

/** One failover, while it goes on and for a while after. */
export interface FailoverStory {
  /** A moment of its timeline, in plain words; after the end, too: the record is told again then. */
  note(what: string): void;
  /** The replica is primary, or it was given up. Once. Resolves when the record is on disk, or could not be written. */
  end(outcome: FailoverOutcome): Promise<void>;
  /** How long the endpoint held back commands of the shard, known a moment after the end. */
  waited(ms: number): Promise<void>;
}

interface Entry {
  record: FailoverRecord;
  /** Grows with each change, so that the control plane's word for an older one is not taken for this. */
  version: number;
}

export class FailoverLog {
  readonly #path: string;
  readonly #tell: (message: FailoverTold) => void;
  readonly #log: Logger;
  /** What no control plane is known to have, oldest first. */
  readonly #waiting: Map<string, Entry>;
  #saving: Promise<void> = Promise.resolve();

  private constructor(path: string, tell: (message: FailoverTold) => void, log: Logger, waiting: Map<string, Entry>) {
    this.#path = path;
    this.#tell = tell;
    this.#log = log;
    this.#waiting = waiting;
  }

  /**
   * What is not yet told. A file that cannot be read is put aside: history must not keep an agent from starting.
   * @param dir the machine's folder
   * @param tell sends to the control plane, if it listens
   */
  static async open(dir: string, tell: (message: FailoverTold) => void, log: Logger): Promise<FailoverLog> {
    const path = join(dir, FILE);
    let waiting = new Map<string, Entry>();
    try {
      const entries = ((await readJson(path)) ?? []) as Entry[];
      waiting = new Map(entries.map((entry) => [entry.record.id, entry]));
    } catch (error) {
      log.error({ err: error }, 'Records of failovers cannot be read; the file is put aside.');
      await rename(path, `${path}.damaged`).catch(() => {}); // what is in its way is overwritten with the next record
    }
    return new FailoverLog(path, tell, log, waiting);
  }

  /** A failover begins now. */
  begin(about: FailoverBeginning): FailoverStory {
    return new Story(about, (entry) => this.#keep(entry));
  }

  /** Tells all that no control plane is known to have; after a welcome. */
  tellAll(): void {
    for (const { record, version } of this.#waiting.values()) this.#tell({ type: 'failover', record, version });
  }

  /** A control plane has this version of the record. */
  async forget(id: string, version: number): Promise<void> {
    if (this.#waiting.get(id)?.version !== version) return;
    this.#waiting.delete(id);
    await this.#save();
  }

  async #keep(entry: Entry): Promise<void> {
    const { id } = entry.record;
    this.#waiting.set(id, structuredClone(entry));
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= FAILOVER_LIMITS.waiting) break;
      this.#waiting.delete(oldest);
    }
    this.#tell({ type: 'failover', ...entry });
    await this.#save();
  }

  /** One write after the other; each writes what is so by then. */
  #save(): Promise<void> {
    this.#saving = this.#saving.then(async () => {
      try {
        await writeFileAtomic(this.#path, JSON.stringify([...this.#waiting.values()]));
      } catch (error) {
        this.#log.error({ err: error }, 'Records of failovers could not be written.');
      }
    });
    return this.#saving;
  }
}

class Story implements FailoverStory {
  readonly #keep: (entry: Entry) => Promise<void>;
  readonly #begunAt = performance.now();
  readonly #record: FailoverRecord;
  #version = 0;

  constructor(about: FailoverBeginning, keep: (entry: Entry) => Promise<void>) {
    this.#keep = keep;
    this.#record = {
      id: randomBytes(6).toString('hex'),
      ...about,
      candidates: [],
      chosen: null,
      mode: null,
      result: { state: 'given_up', reason: 'it is not over' },
      startedAt: Date.now(),
      tookMs: 0,
      timeline: [],
      lostAtMostMs: null,
      waitedMs: null,
    };
  }

  note(what: string): void {
    const { timeline } = this.#record;
    if (timeline.length >= FAILOVER_LIMITS.moments) return;
    timeline.push({ afterMs: this.#elapsedMs(), what: what.slice(0, FAILOVER_LIMITS.momentChars) });
    if (this.#version > 0) void this.#changed();
  }

  end({ candidates, result, ...outcome }: FailoverOutcome): Promise<void> {
    Object.assign(this.#record, {
      ...outcome,
      candidates: candidates.slice(0, FAILOVER_LIMITS.candidates),
      result:
        result.state === 'promoted'
          ? result
          : { state: 'given_up', reason: result.reason.slice(0, FAILOVER_LIMITS.momentChars) },
      tookMs: this.#elapsedMs(),
    });
    return this.#changed();
  }

  waited(ms: number): Promise<void> {
    this.#record.waitedMs = Math.round(ms);
    return this.#changed();
  }

  #elapsedMs(): number {
    return Math.round(performance.now() - this.#begunAt);
  }

  #changed(): Promise<void> {
    this.#version += 1;
    return this.#keep({ record: this.#record, version: this.#version });
  }
}
