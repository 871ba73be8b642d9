/** The databases' records in the store. */
import type { Database } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import type { Store } from '../store/store.ts';
import { aclMark, userPasswords } from './acl.ts';
import { type RecordKind, Records } from './records.ts';

const KIND: RecordKind<Database> = {
  prefix: 'databases/',
  upToDate,
  notFound: (name) => new ValkeeperError('database_not_found', { name }),
  exists: (name) => new ValkeeperError('database_exists', { name }),
};

/** Throws database_not_found and database_exists. */
export class Databases extends Records<Database> {
  static open(store: Store): Promise<Databases> {
    return new Databases(store, KIND).read();
  }
}

/** A record as this version of Valkeeper writes it: an older one lacks what came later. */
function upToDate(stored: Database): Database {
  const spec = { ...DEFAULT_SPEC, ...stored.spec };
  const secrets = { ...stored.secrets, users: userPasswords(spec.users, stored.secrets.users) };
  const nodes = stored.nodes.map((node) => ({ ...node, tls: node.tls ?? false }));
  const { wantedPrimaries = {}, overridden = {}, retired = [], reshard = null, restore = null } = stored;
  return {
    ...stored,
    nodes,
    spec,
    secrets,
    wantedPrimaries,
    overridden,
    retired,
    reshard,
    restore,
    aclMark: aclMark({ spec, secrets, restore }),
  };
}
