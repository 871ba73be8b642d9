/** What each slot holds, and who owns it: asked of every primary at once. */
import { type Database, shardNames } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { SLOT_COUNT, type SlotRange } from '../domain/slots.ts';
import type { DatabaseView } from '../domain/view.ts';
import { type Member, shardTopology } from '../plan/topology.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import { EngineReplyError, EngineUnreachable, type UnreachableReason } from '../valkey/engine-errors.ts';
import type { Engines } from '../valkey/engines.ts';
import { sampledBytes, slotStats } from '../valkey/slot-stats.ts';

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

/** A shard with the primary that answers for it. */
export interface OwningShard {
  name: string;
  slots: readonly SlotRange[];
  owner: Member & { engine: NonNullable<Member['engine']> };
  /** Asked again where it is too busy. */
  node: NodeCommands;
}

/** Every shard's primary. @throws reshard_refused when one did not answer at the look */
export const owningShards = (engines: Engines, database: Database, view: DatabaseView): OwningShard[] =>
  shardNames(database).map((name) => {
    const { owner, slots } = shardTopology(database, view, name);
    const engine = owner?.engine;
    if (!owner || engine?.role !== 'primary') {
      throw new ValkeeperError('reshard_refused', { name: database.name, reason: `the primary of ${name} is away` });
    }
    const node = asked(engines.connection(database.secrets.adminPassword, owner.assignment));
    return { name, slots, owner: { ...owner, engine }, node };
  });

/** How often one is asked that is too busy to answer in time, or whose connection was lost over another question. */
const TRIES = 4;
const PASSING: readonly UnreachableReason[] = ['timeout', 'closed', 'too_many_commands'];

/** For questions only: a command may be carried out more than once. */
const asked = (node: NodeCommands): NodeCommands => ({
  commandTimeoutMs: TRIES * node.commandTimeoutMs,
  command: (...args) => again(TRIES, () => node.command(...args)),
  pipeline: (commands) => again(TRIES, () => node.pipeline(commands)),
});

async function again<T>(times: number, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (times === 1 || !(error instanceof EngineUnreachable) || !PASSING.includes(error.reason)) throw error;
  }
  return again(times - 1, ask);
}

/**
 * Asks every shard's primary. One may have died since the look.
 * @throws reshard_refused when one does not answer
 */
export const askAll = <T>(
  { name: database }: Database,
  shards: readonly OwningShard[],
  ask: (shard: OwningShard) => Promise<T>,
): Promise<T[]> =>
  Promise.all(
    shards.map((shard) =>
      ask(shard).catch((error: unknown) => {
        if (!(error instanceof EngineUnreachable || error instanceof EngineReplyError)) throw error;
        const reason = `the primary of ${shard.name} does not answer (${error.message})`;
        throw new ValkeeperError('reshard_refused', { name: database, reason }, { cause: error });
      }),
    ),
  );

/** Keys by the engine's count, bytes from a sample of each slot's keys. @throws reshard_refused */
export async function weighSlots(engines: Engines, database: Database, view: DatabaseView): Promise<SlotWeights> {
  const keys = new Float64Array(SLOT_COUNT);
  const bytes = new Float64Array(SLOT_COUNT).fill(SLOT_BYTES);
  const shards = owningShards(engines, database, view);
  await askAll(database, shards, async ({ slots, node, owner: { engine } }) => {
    const stats = await slotStats(node, slots);
    for (const [slot, { keys: count }] of stats) keys[slot] = count;
    const counts = new Map([...stats].map(([slot, { keys: count }]) => [slot, count]));
    for (const [slot, size] of bytesBySlot(counts, await sampledBytes(node, counts), engine.dataBytes)) {
      bytes[slot] = SLOT_BYTES + size;
    }
  });
  return { keys, bytes, owners: new Map(shards.map(({ name, slots }) => [name, slots])) };
}

/** The sizes from the sample, so that they are together what the shard has; slots without a sample hold keys of mean size. */
export function bytesBySlot(
  keys: ReadonlyMap<number, number>,
  sampled: ReadonlyMap<number, number>,
  dataBytes: number,
): Map<number, number> {
  const sums = { keys: 0, bytes: 0 };
  for (const [slot, bytes] of sampled) {
    sums.keys += keys.get(slot) ?? 0;
    sums.bytes += bytes;
  }
  const mean = sums.keys === 0 ? 1 : sums.bytes / sums.keys;
  const sizes = new Map([...keys].map(([slot, count]) => [slot, sampled.get(slot) ?? count * mean]));
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const scale = total === 0 ? 0 : dataBytes / total;
  return new Map([...sizes].map(([slot, size]) => [slot, size * scale]));
}
