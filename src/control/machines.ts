/** The machines' records in the store. */
import { ValkeeperError } from '../domain/errors.ts';
import type { MachineRecord } from '../domain/machine.ts';
import type { Op, Store } from '../store/store.ts';
import { type RecordKind, Records } from './records.ts';

const KIND: RecordKind<MachineRecord> = {
  prefix: 'machines/',
  upToDate: (stored) => ({ ...stored, tls: stored.tls ?? false }),
  notFound: (name) => new ValkeeperError('machine_not_found', { name }),
  exists: (name) => new ValkeeperError('machine_exists', { name }),
};

/** Throws machine_not_found and machine_exists. */
export class Machines extends Records<MachineRecord> {
  static open(store: Store): Promise<Machines> {
    return new Machines(store, KIND).read();
  }

  /** A machine joins: its record, together with other changes, or nothing. @returns whether it was stored */
  store(record: MachineRecord, together: readonly Op[]): Promise<boolean> {
    return this.put(record, together);
  }
}
