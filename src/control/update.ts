/** Whether a change of a spec can be granted: what cannot change yet, what would not hold the data, what does not fit. */
import { type Database, specNow } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { presentSpec, type Reshard } from '../domain/reshard.ts';
import { formatSize } from '../domain/size.ts';
import { type DatabaseSpec, memoryBytesPerNode } from '../domain/spec.ts';
import { answering, type DatabaseView } from '../domain/view.ts';
import { reservedBytesPerNode } from '../plan/placement.ts';
import type { SpecInput, SpecValue } from '../protocol/api.ts';
import { specFields } from '../protocol/spec-fields.ts';
import { aclMark, userPasswords } from './acl.ts';
import { completeSpec } from './admission.ts';

/** The spec with what was said of it; what was not said stays. @throws being_deleted, not_changeable, invalid_value */
export function changedSpec({ name, spec, deleting }: Database, input: SpecInput): DatabaseSpec {
  if (deleting) throw new ValkeeperError('being_deleted', { name });
  for (const [field, { live }] of specFields()) {
    if (!live && input[field] !== undefined && input[field] !== spec[field]) {
      throw new ValkeeperError('not_changeable', { field, name, present: String(spec[field]) });
    }
  }
  return completeSpec({ ...spec, ...input });
}

/** The whole spec of a database that exists: what was not said takes its default, but a port that it has stays. */
export const wholeSpec = ({ spec }: Database, input: SpecInput): DatabaseSpec =>
  completeSpec({ ...input, port: input.port ?? spec.port });

/** The record with another spec: its next generation, with the passwords of the users there are then. */
export function withSpec(database: Database, spec: DatabaseSpec): Database {
  const secrets = { ...database.secrets, users: userPasswords(spec.users, database.secrets.users) };
  return {
    ...database,
    spec,
    secrets,
    aclMark: aclMark({ ...database, spec, secrets }),
    generation: database.generation + 1,
  };
}

/** Equal values, by what is in them. */
export const isSameValue = (one: SpecValue | undefined, other: SpecValue | undefined): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Every field has the same value. */
export const isSameSpec = (one: DatabaseSpec, other: DatabaseSpec): boolean =>
  (Object.keys(one) as (keyof DatabaseSpec)[]).every((field) => isSameValue(one[field], other[field]));

/**
 * @param reshard the slots' way to another number of shards, which has its own look at what fits; null: none
 * @throws memory_in_use, no_room_to_grow
 */
export function admitChange(database: Database, spec: DatabaseSpec, reshard: Reshard | null, view: DatabaseView): void {
  const now = presentSpec(spec, reshard);
  const limitBytes = memoryBytesPerNode(now);
  if (limitBytes < memoryBytesPerNode(specNow(database))) refuseIfUsed(database, limitBytes, view);
  const growthBytes = reservedBytesPerNode(now) - reservedBytesPerNode(specNow(database));
  if (growthBytes > 0) refuseIfFull(database, growthBytes, view);
}

function refuseIfUsed({ name, nodes }: Database, limitBytes: number, view: DatabaseView): void {
  for (const { id, shard } of nodes) {
    const usedBytes = answering(view.nodes.get(id))?.usedMemoryBytes ?? 0;
    if (usedBytes <= limitBytes) continue;
    const figures = { used: formatSize(usedBytes), limit: formatSize(limitBytes) };
    throw new ValkeeperError('memory_in_use', { name, shard, ...figures });
  }
}

function refuseIfFull({ nodes }: Database, growthBytes: number, { machines }: DatabaseView): void {
  for (const { name, memoryBytes, reservedBytes } of machines) {
    const neededBytes = nodes.filter(({ machine }) => machine === name).length * growthBytes;
    const freeBytes = Math.max(0, memoryBytes - reservedBytes);
    if (neededBytes <= freeBytes) continue;
    const figures = { needed: formatSize(neededBytes), free: formatSize(freeBytes) };
    throw new ValkeeperError('no_room_to_grow', { machine: name, ...figures });
  }
}
