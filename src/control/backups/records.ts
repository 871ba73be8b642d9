/** What the control plane remembers of backups: those that are being made, those there are, and what became of others. */
import type { BackupStatus } from '../../domain/backup.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { Store } from '../../store/store.ts';
import { type RecordKind, Records } from '../records.ts';

/** Its name is its id. */
export type BackupRecord = BackupStatus & { name: string };

const KIND: RecordKind<BackupRecord> = {
  prefix: 'backups/',
  upToDate: (stored) => stored,
  notFound: (id) => new ValkeeperError('backup_not_found', { id }),
  exists: (id) => new ValkeeperError('backup_exists', { id }),
};

/** Throws backup_not_found and backup_exists. */
export class BackupRecords extends Records<BackupRecord> {
  static open(store: Store): Promise<BackupRecords> {
    return new BackupRecords(store, KIND).read();
  }
}
