/** What the control plane remembers of archives: also of databases that are gone, as long as something of them is kept. */
import { ValkeeperError } from '../../domain/errors.ts';
import type { Store } from '../../store/store.ts';
import { type RecordKind, Records } from '../records.ts';

/** Its name is the uid of the database. */
export type ArchiveRecord = {
  name: string;
  database: string;
  place: string;
  isOn: boolean;
  everySeconds: number;
  keepDays: number | null;
  encrypted: boolean;
  /** Milliseconds since the epoch: since when it is on. */
  since: number;
};

const KIND: RecordKind<ArchiveRecord> = {
  prefix: 'archives/',
  upToDate: (stored) => stored,
  notFound: (name) => new ValkeeperError('archive_not_found', { name }),
  exists: (name) => new ValkeeperError('archive_refused', { name, reason: 'it has been turned on at this moment' }),
};

/** Throws archive_not_found. */
export class ArchiveRecords extends Records<ArchiveRecord> {
  static open(store: Store): Promise<ArchiveRecords> {
    return new ArchiveRecords(store, KIND).read();
  }

  /** By the name of the database, the one that is on or was last; or by its uid. @throws archive_not_found */
  named(name: string): ArchiveRecord {
    const found = this.find(name) ?? this.ofDatabase(name);
    if (!found) throw new ValkeeperError('archive_not_found', { name });
    return found;
  }

  ofDatabase(name: string): ArchiveRecord | undefined {
    const own = this.all().filter(({ database }) => database === name);
    return own.sort((a, b) => Number(b.isOn) - Number(a.isOn) || b.since - a.since)[0];
  }
}
