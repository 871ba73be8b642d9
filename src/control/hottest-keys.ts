/** Which keys of some slots are asked for most, by a sample of the commands that their primaries get. */
import type { Database } from '../domain/database.ts';
import type { HotKey } from '../protocol/api.ts';
import type { Engines } from '../valkey/engines.ts';
import { sampleCommands } from '../valkey/monitor.ts';
import { KeyCounts } from './key-counts.ts';
import { askAll, type OwningShard } from './slot-weights.ts';

/** A node that is watched does half as much, so it is watched only so long, and so many commands. */
const SAMPLE = { ms: 500, commands: 20_000 };

/** Of each slot the keys asked for most, the hottest first; slots of which no command came are missing. */
export async function hottestKeys(
  engines: Engines,
  database: Database,
  shards: readonly OwningShard[],
  slots: readonly number[],
): Promise<Map<number, HotKey[]>> {
  const counts = new KeyCounts(slots);
  const owns = (shard: OwningShard, slot: number): boolean =>
    shard.slots.some(([from, to]) => from <= slot && slot <= to);
  const concerned = shards.filter((shard) => slots.some((slot) => owns(shard, slot)));
  const { adminPassword } = database.secrets;
  await askAll(database, concerned, ({ owner }) =>
    sampleCommands(engines.options(adminPassword, owner.assignment), SAMPLE, (args) => counts.note(args)),
  );
  return counts.hottest();
}
