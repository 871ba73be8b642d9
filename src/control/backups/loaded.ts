/** A database that has got all the data of its backup. */
import type { Database } from '../../domain/database.ts';
import type { Restore } from '../../domain/restore.ts';
import { aclMark } from '../acl.ts';

/** The record with which people are let in; the same one where that is not so. */
export function loaded(record: Database): Database {
  const { restore } = record;
  if (restore?.stage !== 'load') return record;
  const next: Restore | null = restore.shards === record.spec.shards ? null : { ...restore, stage: 'spread' };
  return { ...record, restore: next, aclMark: aclMark({ ...record, restore: next }) };
}
