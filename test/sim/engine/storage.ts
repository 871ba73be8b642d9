/**
 * What a process keeps on its disk: the append-only file, and snapshots; by settings that change while it runs. A log
 * that is switched on is first written as a whole, and so is one after a full copy; until then the file holds what it
 * held before.
 */
import type { Settings } from '../../../src/domain/view.ts';
import type { Copy, Disk, Process } from './state.ts';

const REWRITE_MS = { min: 50, max: 500 };
const SAVE_MS = { min: 20, max: 300 };

/** What storage needs of its process. */
interface StoringProcess extends Process {
  readonly replication: { log: number[]; readonly histlen: number; copy(): Copy };
  /** A copy is no longer held: another took its place. */
  dropped(log: readonly number[], why: string): void;
}

/** A log file that does not hold what memory holds, and why. */
interface OtherLog {
  log: number[];
  hasBytes: boolean;
  at: number;
  why: 'off' | 'switched on' | 'copied';
}

export class Storage {
  readonly #process: StoringProcess;
  #settings: Settings;
  #rdb: Copy | null;
  #other: OtherLog | null;
  #hasBytes: boolean;
  /** When the log was last written to. */
  #at: number;
  #nextSave: number;
  #rewrites = 0;
  #saves: 'none' | 'one' | 'another' = 'none';

  constructor(process: StoringProcess, disk: Disk) {
    this.#process = process;
    this.#settings = disk.conf;
    this.#rdb = disk.rdb;
    this.#hasBytes = disk.aofHasBytes;
    this.#at = disk.aofAt;
    this.#other = this.keepsLog ? null : { log: disk.aof, hasBytes: disk.aofHasBytes, at: disk.aofAt, why: 'off' };
    this.#nextSave = process.now + process.around.random.between(3_000, 20_000);
  }

  /** As CONFIG GET shows them. */
  get settings(): Settings {
    return this.#settings;
  }

  get keepsLog(): boolean {
    return this.#settings['appendonly'] === 'yes';
  }

  get isRewriting(): boolean {
    return this.keepsLog && this.#other !== null;
  }

  get isSaving(): boolean {
    return this.#saves !== 'none';
  }

  /** When the snapshot on the disk was completed; null without one. */
  get savedAt(): number | null {
    return this.#rdb?.at ?? null;
  }

  /** A copy of the data that the log still holds while it is rewritten after a full copy. */
  get held(): readonly number[][] {
    return this.#other?.why === 'copied' ? [this.#other.log] : [];
  }

  /** CONFIG SET. */
  set(change: Settings): void {
    const kept = this.keepsLog;
    this.#settings = { ...this.#settings, ...change };
    if (this.keepsLog && !kept) {
      this.#other = { ...this.#other!, why: 'switched on' };
      this.rewriteLog();
    } else if (kept && !this.keepsLog) this.#switchOff();
  }

  /** BGSAVE, after what is being saved. */
  save(): void {
    if (this.isSaving) {
      this.#saves = 'another';
      return;
    }
    this.#saves = 'one';
    const { around, replication } = this.#process;
    const copy = replication.copy();
    around.timeline.after(around.random.between(SAVE_MS.min, SAVE_MS.max), () => {
      if (!this.#process.alive) return;
      this.putSnapshot(copy);
      const again = this.#saves === 'another';
      this.#saves = 'none';
      if (again) this.save();
    });
  }

  /** dump.rdb is replaced. */
  putSnapshot(copy: Copy): void {
    this.#rdb = { ...copy, at: this.#process.now };
  }

  cron(isCopying: boolean): void {
    const { now, around, replication } = this.#process;
    if (this.#settings['save'] === '' || now < this.#nextSave || isCopying) return;
    this.#nextSave = now + around.random.between(3_000, 20_000);
    this.putSnapshot(replication.copy());
  }

  /** Something was written. */
  grew(): void {
    if (!this.keepsLog) return;
    this.#hasBytes = true;
    this.#at = this.#process.now;
  }

  /** The old data leaves memory for a full copy; the log file keeps it until it is rewritten. */
  makeRoom(old: number[]): void {
    if (this.keepsLog && !this.#other)
      this.#other = { log: old, hasBytes: this.#hasBytes, at: this.#at, why: 'copied' };
  }

  /** Begins to write the log as a whole. */
  rewriteLog(): void {
    const { around } = this.#process;
    this.#rewrites += 1;
    const rewrites = this.#rewrites;
    around.timeline.after(around.random.between(REWRITE_MS.min, REWRITE_MS.max), () => {
      if (this.#rewrites === rewrites) this.#logRewritten();
    });
  }

  /** The process is gone. */
  end(powerLost: boolean): Pick<Disk, 'rdb' | 'aof' | 'aofHasBytes' | 'aofAt'> {
    if (this.#other && this.#other.why !== 'copied') {
      const { log, hasBytes, at } = this.#other;
      return { rdb: this.#rdb, aof: log, aofHasBytes: hasBytes, aofAt: at };
    }
    const aof = this.#onDisk(powerLost);
    const { hasBytes, at } = this.#other ?? { hasBytes: this.#hasBytes, at: this.#at };
    return { rdb: this.#rdb, aof, aofHasBytes: hasBytes && (!powerLost || aof.length !== 0), aofAt: at };
  }

  #switchOff(): void {
    const old = this.#other;
    const whole = { log: [...this.#process.replication.log], hasBytes: this.#hasBytes, at: this.#at };
    this.#other = { ...(old ?? whole), why: 'off' };
    if (old?.why === 'copied') this.#process.dropped(old.log, 'no log is kept any more');
  }

  #logRewritten(): void {
    const old = this.#other;
    const { alive, replication } = this.#process;
    if (!old || old.why === 'off' || !alive) return;
    this.#other = null;
    this.#at = this.#process.now;
    this.#hasBytes = replication.histlen > 0 || replication.log.length > 0;
    if (old.why === 'copied') this.#process.dropped(old.log, 'its log file was rewritten after a full copy');
  }

  /** What is found after the crash. What an owner's disk lacks then, nobody had promised to keep. */
  #onDisk(powerLost: boolean): number[] {
    const { around, now, role, replication } = this.#process;
    const flushedAt = now - around.random.between(0, 1_000);
    const everything = !powerLost || this.#settings['appendfsync'] === 'always';
    const kept = (this.#other?.log ?? replication.log).filter((id) => everything || around.writtenAt(id) <= flushedAt);
    if (role === 'primary' || powerLost) {
      const there = new Set(kept);
      around.unflushed(replication.log.filter((id) => !there.has(id)));
    }
    return kept;
  }
}
