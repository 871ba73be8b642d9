/**
 * How long clients wait when a primary is changed as planned: switchovers under a steady load through the endpoint, by
 * plain clients. What the figures mean is told in docs/benchmarks.md.
 *
 *   npm run bench:switchover -- [--times N] [--json]
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Redis } from 'ioredis';
import type { ShardStatus } from '../src/domain/status.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { ms, percentile } from './support/stats.ts';
import { startLoad } from './support/write-load.ts';

const { values: options } = parseArgs({
  options: { times: { type: 'string', default: '50' }, json: { type: 'boolean', default: false } },
});

const TIMES = Number(options.times);
const WRITES_PER_SECOND = 2_000;
const CONNECTIONS = 10;
const ADDRESS_BASE = '127.0.66.11';
const DATABASE = 'main';
/** Between two switchovers, so that what one held up is over. */
const PAUSE_MS = 300;
const READ_AT_ONCE = 500;
/** Hash tags whose slots are in shard 1, 2 and 3. */
const TAGS = ['{b}', '{c}', '{a}'];

interface Change {
  shard: string;
  /** From the request to the word that the other is the primary. */
  changedMs: number;
  /** The longest that a write to the shard waited which was sent meanwhile, or just before. */
  waitMs: number;
}

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);
progress('starting the fleet');
await fleet.up();
const { endpoint } = await fleet.untilReady(DATABASE);
const { password } = await fleet.client.password(DATABASE);

const clients = Array.from({ length: CONNECTIONS }, () => {
  const { host, port } = endpoint!;
  return new Redis({ host, port, ...(password === null ? {} : { password }), maxRetriesPerRequest: 0 });
});
const load = startLoad(
  WRITES_PER_SECOND,
  (write) => `switchover:${TAGS[write % TAGS.length]!}:${write}`,
  async (key, value) => {
    await clients[Number(value) % CONNECTIONS]!.set(key, value);
  },
);

const changes: Change[] = [];
await sleep(1_000);
for (let number = 0; number < TIMES; number += 1) {
  const change = await switchOver(number % TAGS.length);
  changes.push(change);
  progress(`${number + 1} of ${TIMES}, ${change.shard}: done in ${ms(change.changedMs)}, wait ${ms(change.waitMs)}`);
  await sleep(PAUSE_MS);
}
await load.stop();

const errors = load.attempts.filter(({ error }) => error !== null);
const lost = await countLost();
for (const client of clients) client.disconnect();

const all = load.attempts.map(({ sentAt, answeredAt }) => answeredAt! - sentAt);
const waits = changes.map(({ waitMs }) => waitMs);
const changing = changes.map(({ changedMs }) => changedMs);
printReport(
  {
    machine,
    tables: [
      {
        title: `${TIMES} switchovers under ${WRITES_PER_SECOND} writes a second through the endpoint`,
        head: ['', 'p50', 'p99', 'max'],
        rows: [
          ['the longest wait of a write at each', ...figures(waits)],
          ['from the request to the new primary', ...figures(changing)],
          ['every write of the run', ...figures(all)],
        ],
      },
      {
        title: 'Demanded',
        head: ['', 'measured', 'demand'],
        rows: [
          ['errors', `${errors.length} of ${load.attempts.length}`, '0'],
          ['acknowledged writes lost', `${lost}`, '0'],
          ['wait, p99', ms(percentile(waits, 99)), '<= 100 ms'],
        ],
      },
    ],
    measurements: { changes, errors: errors.map(({ error }) => error) },
  },
  options.json,
);

function figures(values: readonly number[]): string[] {
  return [50, 99, 100].map((percent) => ms(percentile(values, percent)));
}

async function switchOver(index: number): Promise<Change> {
  const shard = await inSync(index);
  const first = load.attempts.length;
  const startedAt = performance.now();
  const { to } = await fleet.client.switchOver(DATABASE, shard.id);
  for (let now = shard; now.primary?.nodeId !== to; now = await shardAt(index)) await sleep(2);
  const changedMs = performance.now() - startedAt;
  await sleep(PAUSE_MS);
  // Those of the second before as well: they may have been under way.
  const concerned = load.attempts
    .slice(Math.max(0, first - WRITES_PER_SECOND))
    .filter(
      ({ key, answeredAt }) => key.includes(TAGS[index]!) && (answeredAt ?? Number.POSITIVE_INFINITY) >= startedAt,
    );
  const waitMs = Math.max(...concerned.map(({ sentAt, answeredAt }) => (answeredAt ?? performance.now()) - sentAt));
  return { shard: shard.id, changedMs, waitMs };
}

async function shardAt(index: number): Promise<ShardStatus> {
  return (await fleet.client.database(DATABASE)).shards[index]!;
}

/** The shard, once its replica is in sync. */
async function inSync(index: number): Promise<ShardStatus> {
  for (;;) {
    const shard = await shardAt(index);
    if (shard.primary && shard.replicas.every((replica) => replica.inSync)) return shard;
    await sleep(20);
  }
}

async function countLost(): Promise<number> {
  const acknowledged = load.attempts.filter(({ error }) => error === null);
  let missing = 0;
  for (let at = 0; at < acknowledged.length; at += READ_AT_ONCE) {
    const some = acknowledged.slice(at, at + READ_AT_ONCE);
    const values = await clients[0]!.mget(...some.map(({ key }) => key));
    missing += values.filter((value, index) => value !== some[index]!.value).length;
  }
  return missing;
}
