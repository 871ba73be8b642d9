/** What a control plane keeps in the store and reads as it begins. */
import type { Logger } from '../platform/log.ts';
import type { Store } from '../store/store.ts';
import { ArchiveRecords } from './archives/records.ts';
import { BackupRecords } from './backups/records.ts';
import { ScheduleRecords } from './backups/schedules.ts';
import { Databases } from './databases.ts';
import { LastPrimaries } from './last-primaries.ts';
import { Machines } from './machines.ts';
import { VoterRecord } from './voters.ts';

export interface PlaneRecords {
  databases: Databases;
  machines: Machines;
  primaries: LastPrimaries;
  voters: VoterRecord;
  backups: BackupRecords;
  schedules: ScheduleRecords;
  archives: ArchiveRecords;
}

/** All of it, read at once. */
export async function openRecords(store: Store, log: Logger): Promise<PlaneRecords> {
  const [databases, machines, primaries, voters, backups, schedules, archives] = await Promise.all([
    Databases.open(store),
    Machines.open(store),
    LastPrimaries.open(store, log),
    VoterRecord.open(store),
    BackupRecords.open(store),
    ScheduleRecords.open(store),
    ArchiveRecords.open(store),
  ]);
  return { databases, machines, primaries, voters, backups, schedules, archives };
}
