/** Keys that are there before anything happens, and are to be there after everything: a database that was emptied lacks them. */
import { NodeConnection } from '../../src/valkey/connection.ts';
import type { System } from './system.ts';
import { until } from './wait.ts';

const BATCH = 500;
const VALUE = 'x'.repeat(100);

const keyOf = (number: number): string => `ballast:${number}`;

function connectionTo(system: System): NodeConnection {
  const target = system.target();
  if (target.kind !== 'endpoint') throw new Error('only Valkeeper is given ballast');
  const { host, port, password } = target;
  const limits = { connectTimeoutMs: 2_000, commandTimeoutMs: 30_000, maxQueued: 10_000 };
  return new NodeConnection({ host, port, ...(password === null ? {} : { password }), ...limits });
}

/** Writes so many keys, over all slots. `saved`: and has every node write its snapshot. */
export async function loadBallast(system: System, count: number, saved: boolean): Promise<void> {
  const connection = connectionTo(system);
  for (let from = 0; from < count; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => from + index);
    await connection.pipeline(numbers.map((number) => ['SET', keyOf(number), VALUE]));
  }
  connection.close();
  if (saved) await saveAll(system);
}

async function saveAll(system: System): Promise<void> {
  const nodes = (await system.shards()).flatMap(({ primary, replicas }) => [primary, ...replicas]);
  for (const node of nodes) {
    const connection = system.admin(node);
    await until('the node has saved', async () => {
      await connection.command('BGSAVE').catch(() => {}); // one may be under way
      const info = String(await connection.command('INFO', 'persistence'));
      const isClean = /rdb_changes_since_last_save:0\b/.test(info) && /rdb_bgsave_in_progress:0\b/.test(info);
      return isClean ? true : null;
    });
    connection.close();
  }
}

/** How many of so many keys are missing. */
export async function missingBallast(system: System, count: number): Promise<number> {
  const connection = connectionTo(system);
  let missing = 0;
  for (let from = 0; from < count; from += BATCH) {
    const numbers = Array.from({ length: Math.min(BATCH, count - from) }, (_, index) => from + index);
    const values = (await connection.command('MGET', ...numbers.map(keyOf))) as (string | null)[];
    missing += values.filter((value) => value !== VALUE).length;
  }
  connection.close();
  return missing;
}
