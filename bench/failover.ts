/**
 * How long a shard takes no writes when its primary is killed, and what is lost: `kill -9` of a primary under a steady
 * load, seen by ioredis and by bare connections. What the figures mean is told in docs/benchmarks.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseStatus, ShardStatus } from '../src/domain/status.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { ms, percentile } from './support/stats.ts';
import { type Attempt, type Load, startLoad } from './support/write-load.ts';
import { clusterWriter, shardWriter, type Writer } from './support/writers.ts';

const KILLS = 20;
const WRITES_PER_SECOND = 2_000;
const ADDRESS_BASE = '127.0.64.11';
const DATABASE = 'main';
/** The load runs this long before the kill and after the first write that is accepted again. */
const BEFORE_MS = 1_000;
const AFTER_MS = 500;
/** The fleet is left alone this long once all is well, so that it may put primaries back where they belong. */
const CALM_MS = 2_000;
const READ_AT_ONCE = 500;
/** Hash tags whose slots are 3300, 7365 and 15495: one in each of three shards, in order. */
const TAGS = ['{b}', '{c}', '{a}'];

type Client = 'ioredis' | 'bare connections';

interface Kill {
  client: Client;
  /** From the kill to the answer to the first accepted write to that shard that was sent after it. */
  waitMs: number;
  /** From the kill until the database is whole again. */
  wholeMs: number;
  writes: number;
  errors: Record<string, number>;
  /** Acknowledged writes that cannot be read once the database is whole again. */
  lost: number;
}

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);
progress('starting the fleet');
await fleet.up();
await fleet.untilReady(DATABASE);
const password = (await fleet.client.password(DATABASE)).password!;

const kills: Kill[] = [];
for (let number = 0; number < KILLS; number += 1) {
  for (const client of ['ioredis', 'bare connections'] as const) {
    const kill = await killUnderLoad(client, number);
    kills.push(kill);
    const errors = Object.entries(kill.errors).map(([name, count]) => `${count} ${name}`);
    progress(
      `kill ${number + 1} of ${KILLS}, ${client}: wait ${ms(kill.waitMs)}, whole again after ${ms(kill.wholeMs)}, ` +
        `errors: ${errors.join(', ') || 'none'}, lost ${kill.lost}`,
    );
  }
}

const row = (client: Client): string[] => {
  const runs = kills.filter((kill) => kill.client === client);
  const waits = runs.map(({ waitMs }) => waitMs);
  const total = (count: (kill: Kill) => number): number => runs.reduce((sum, kill) => sum + count(kill), 0);
  const errors = total((kill) => Object.values(kill.errors).reduce((sum, count) => sum + count, 0));
  return [
    client,
    ...[50, 99, 100].map((percent) => ms(percentile(waits, percent))),
    `${errors} of ${total(({ writes }) => writes)}`,
    `${total(({ lost }) => lost)}`,
    ms(
      percentile(
        runs.map(({ wholeMs }) => wholeMs),
        50,
      ),
    ),
  ];
};

printReport({
  machine,
  tables: [
    {
      title: `kill -9 of a primary under ${WRITES_PER_SECOND} writes a second, ${KILLS} times each`,
      head: ['client', 'wait p50', 'p99', 'max', 'errors', 'acknowledged writes lost', 'whole again, median'],
      rows: [row('ioredis'), row('bare connections')],
    },
  ],
  measurements: kills,
});

async function killUnderLoad(client: Client, number: number): Promise<Kill> {
  const status = await calm();
  const index = number % TAGS.length;
  const shard = status.shards[index]!;
  const writer = client === 'ioredis' ? await clusterWriter(status, password) : shardWriter(shard, password);
  try {
    const prefix = `bench:${client}:${number}`;
    // ioredis writes to all shards in turn; the bare connections know one shard only.
    const tagOf = (write: number): string => (client === 'ioredis' ? TAGS[write % TAGS.length]! : TAGS[index]!);
    const load = startLoad(WRITES_PER_SECOND, (write) => `${prefix}:${tagOf(write)}:${write}`, writer.write);
    return await killDuring(load, client, shard, writer, (key) => key.includes(TAGS[index]!));
  } finally {
    writer.close();
  }
}

async function killDuring(
  load: Load,
  client: Client,
  shard: ShardStatus,
  writer: Writer,
  concerns: (key: string) => boolean,
): Promise<Kill> {
  await sleep(BEFORE_MS);
  const killedAt = performance.now();
  const accepted = load.accepted(killedAt, concerns);
  process.kill(shard.primary!.pid!, 'SIGKILL');
  const whole = untilPromoted(shard).then(async () => {
    await fleet.untilReady(DATABASE);
    return performance.now() - killedAt;
  });
  const first = await accepted;
  await sleep(AFTER_MS);
  await load.stop();
  const wholeMs = await whole;
  return {
    client,
    waitMs: first.answeredAt! - killedAt,
    wholeMs,
    writes: load.attempts.length,
    errors: countErrors(load.attempts),
    lost: await countLost(load.attempts, writer),
  };
}

/** The fleet's own word that another node serves the shard: before it, `ready` may still be the old state. */
async function untilPromoted({ id, primary }: ShardStatus): Promise<void> {
  for (;;) {
    const { shards } = await fleet.client.database(DATABASE);
    const now = shards.find((shard) => shard.id === id)?.primary;
    if (now && now.nodeId !== primary!.nodeId) return;
    await sleep(5);
  }
}

/** Ready, and still so, with the same primaries, after a while. */
async function calm(): Promise<DatabaseStatus> {
  for (;;) {
    const before = await fleet.untilReady(DATABASE);
    await sleep(CALM_MS);
    const after = await fleet.untilReady(DATABASE);
    const primaries = ({ shards }: DatabaseStatus): string => shards.map(({ primary }) => primary!.nodeId).join();
    if (primaries(before) === primaries(after)) return after;
  }
}

function countErrors(attempts: readonly Attempt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { error } of attempts) {
    if (error !== null) counts[error] = (counts[error] ?? 0) + 1;
  }
  return counts;
}

async function countLost(attempts: readonly Attempt[], { read }: Writer): Promise<number> {
  const acknowledged = attempts.filter(({ error }) => error === null);
  let lost = 0;
  for (let from = 0; from < acknowledged.length; from += READ_AT_ONCE) {
    const some = acknowledged.slice(from, from + READ_AT_ONCE);
    const found = await Promise.all(some.map(({ key }) => read(key)));
    lost += some.filter(({ value }, place) => found[place] !== value).length;
  }
  return lost;
}
