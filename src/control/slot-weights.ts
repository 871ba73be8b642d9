/** How much each slot holds: its keys by the engine's count, each with the mean size of the shard's keys. */
import { type Database, shardNames } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { shardTopology } from '../plan/topology.ts';
import { EngineReplyError, EngineUnreachable } from '../valkey/engine-errors.ts';
import type { Engines } from '../valkey/engines.ts';
import { keysBySlot } from '../valkey/slot-migrations.ts';

/** What a process uses without any key, about. */
export const EMPTY_BYTES = 3 * 1024 ** 2;
/** So that empty slots are spread as well. */
const SLOT_BYTES = 64;

export interface SlotWeights {
  /** By slot. */
  keys: Float64Array;
  /** By slot; an empty one weighs a little, too. */
  bytes: Float64Array;
  /** By shard. */
  owners: Map<string, readonly SlotRange[]>;
}

/** Asks every primary. @throws reshard_refused when one does not answer, or not all slots are served */
export async function weighSlots(engines: Engines, database: Database, view: DatabaseView): Promise<SlotWeights> {
  const keys = new Float64Array(SLOT_COUNT);
  const bytes = new Float64Array(SLOT_COUNT).fill(SLOT_BYTES);
  const owners = new Map<string, readonly SlotRange[]>();
  await Promise.all(
    shardNames(database).map(async (name) => {
      const { owner, slots } = shardTopology(database, view, name);
      const refusal = (reason: string, cause?: unknown): ValkeeperError =>
        new ValkeeperError('reshard_refused', { name: database.name, reason }, { cause });
      if (owner?.engine?.role !== 'primary') throw refusal(`the primary of ${name} is away`);
      owners.set(name, slots);
      const connection = engines.connection(database.secrets.adminPassword, owner.assignment);
      const found = await keysBySlot(connection, slots).catch((error: unknown) => {
        const isTheirs = error instanceof EngineUnreachable || error instanceof EngineReplyError;
        // It may have died since the look.
        throw isTheirs ? refusal(`the primary of ${name} does not answer (${error.message})`, error) : error;
      });
      const total = [...found.values()].reduce((sum, count) => sum + count, 0);
      const bytesPerKey = total === 0 ? 0 : Math.max(0, owner.engine.usedMemoryBytes - EMPTY_BYTES) / total;
      for (const [slot, count] of found) {
        keys[slot] = count;
        bytes[slot] = SLOT_BYTES + count * bytesPerKey;
      }
    }),
  );
  return { keys, bytes, owners };
}
