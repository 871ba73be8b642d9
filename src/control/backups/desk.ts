/** Everything about backups that a control plane has, put together. */
import type { Database } from '../../domain/database.ts';
import type { NewEvent } from '../../domain/event.ts';
import type { Engines } from '../../valkey/engines.ts';
import { Archives } from '../archives/archives.ts';
import type { Observer } from '../observer.ts';
import type { ControlPlaneOptions } from '../plane-options.ts';
import type { PlaneRecords } from '../plane-records.ts';
import type { SpecChanges } from '../spec-changes.ts';
import { Backups } from './backups.ts';
import { Exports } from './exports.ts';
import { Restores } from './restores.ts';
import { BackupSchedules } from './schedules.ts';
import { Seeds } from './seeds.ts';
import { Turns } from './turns.ts';

export interface DeskSurroundings {
  options: ControlPlaneOptions;
  records: PlaneRecords;
  engines: Engines;
  observer: Observer;
  specs: SpecChanges;
  record: (event: NewEvent) => void;
  requireRunning: () => void;
  oneByOne: <T>(work: () => Promise<T>) => Promise<T>;
}

export class BackupDesk {
  readonly backups: Backups;
  readonly exports: Exports;
  readonly schedules: BackupSchedules;
  readonly restores: Restores;
  readonly seeds: Seeds;
  readonly archives: Archives;

  constructor({ options, records, engines, observer, specs, record, requireRunning, oneByOne }: DeskSurroundings) {
    const { agents, clock, log, version, engineVersion, backup } = options;
    const { databases } = records;
    const { place: defaultPlace, keys } = backup ?? { place: null, keys: [] };
    const observe = (database: Database) => observer.observe(database);
    const streams = { engines, clock, turns: new Turns(), observe };
    const around = { databases, clock, log, record, requireRunning, defaultPlace, keys };
    this.backups = new Backups({
      ...{ ...around, records: records.backups, version, engineVersion },
      ...streams,
    });
    this.exports = new Exports({ ...streams, databases, log, requireRunning });
    this.schedules = new BackupSchedules({ ...around, records: records.schedules, backups: this.backups });
    this.archives = new Archives({
      ...around,
      records: records.archives,
      agents,
      observe,
      version,
      engineVersion,
    });
    observer.archiveOf = (uid) => this.archives.view(uid);
    const { backups, archives } = this;
    this.restores = new Restores({ databases, specs, clock, record, backups, archives, oneByOne });
    this.seeds = new Seeds({ agents, find: (name) => databases.find(name), keys });
  }

  begin(): void {
    this.backups.begin();
    this.schedules.begin();
    this.archives.begin();
  }

  async close(): Promise<void> {
    this.schedules.close();
    this.seeds.close();
    this.exports.close();
    await Promise.all([this.backups.close(), this.archives.close()]);
  }
}
