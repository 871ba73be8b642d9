/**
 * How evenly the shards of a database work, before and after `db rebalance`: keys that are asked for by Zipf's law, through
 * the endpoint, and the processor time of every primary's process meanwhile. What is promised is told in docs/resharding.md.
 *
 *   npm run bench:balance -- [--times N] [--shards N] [--keys N] [--exponent X] [--seconds N] [--seed N] [--json]
 *
 * Every repetition begins with a database of its own, and keys with another name, so that other slots are hot.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Random } from '../test/sim/random.ts';
import { ZipfLoad } from './balance/load.ts';
import { zipf } from './balance/zipf.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { cpuMs } from './support/process-cost.ts';
import { printReport, progress } from './support/report.ts';
import { ms, summarize } from './support/stats.ts';

const { values: options } = parseArgs({
  options: {
    times: { type: 'string', default: '5' },
    shards: { type: 'string', default: '4' },
    keys: { type: 'string', default: '100000' },
    exponent: { type: 'string', default: '1.1' },
    seconds: { type: 'string', default: '10' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});

const SECONDS = Number(options.seconds);
const ADDRESS_BASE = '127.0.74.11';
const SETTLE_MS = 1_000;

interface Measured {
  /** The busiest primary's processor time as a multiple of the mean. */
  before: number;
  after: number;
  /** What `db rebalance` said of both. */
  told: { before: number; after: number };
  /** The largest part of the load that one slot has, times the number of shards: no spread is below it. */
  hottestSlot: number;
  slots: number;
  seconds: number;
  longestMs: number;
  errors: number;
  perSecond: number;
}

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);
progress('starting the fleet');
await fleet.up();
const random = new Random(Number(options.seed));
const measured: Measured[] = [];
for (let number = 1; number <= Number(options.times); number += 1) {
  const one = await repeat(`balance-${number}`);
  measured.push(one);
  progress(`${number} of ${options.times}: ${JSON.stringify(one)}`);
}

const over = (of: (one: Measured) => number): string => {
  const values = measured.map(of);
  return `${summarize(values).median.toFixed(2)} (${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)})`;
};
printReport(
  {
    machine,
    tables: [
      {
        title: `${options.shards} shards, ${options.keys} keys asked for by Zipf ${options.exponent}, ${measured.length} times: median (and range)`,
        head: ['', 'measured'],
        rows: [
          ['processor time of the busiest primary, as a multiple of the mean, before', over(({ before }) => before)],
          ['the same afterwards', over(({ after }) => after)],
          ['the hottest slot alone, as a multiple of the mean', over(({ hottestSlot }) => hottestSlot)],
          ['expected by `db rebalance`', over(({ told }) => told.after)],
          ['slots moved', over(({ slots }) => slots)],
          ['seconds that took', over(({ seconds }) => seconds)],
          ['longest wait of a command meanwhile', ms(Math.max(...measured.map(({ longestMs }) => longestMs)))],
          ['errors', String(measured.reduce((sum, { errors }) => sum + errors, 0))],
          ['commands a second', over(({ perSecond }) => perSecond)],
        ],
      },
    ],
    measurements: measured,
  },
  options.json,
);
if (measured.some(({ errors }) => errors > 0)) process.exitCode = 1;

async function repeat(name: string): Promise<Measured> {
  await fleet.run('db', 'create', name, '--shards', options.shards, '--replicas', '0', '--memory', '512mb');
  const status = await fleet.untilReady(name);
  const draw = zipf(Number(options.keys), Number(options.exponent), random);
  const { password } = await fleet.client.password(name);
  const load = new ZipfLoad(status, password, () => `${name}:${draw()}`);
  try {
    await sleep(SETTLE_MS);
    const before = await imbalance(name);
    const hot = await fleet.client.hotspots(name, { seconds: 5, slots: 1 });
    load.longestMs = 0;
    const startedAt = performance.now();
    const told = await fleet.client.rebalance(name, { by: 'cpu', seconds: 5, dryRun: false });
    await fleet.untilReady(name);
    const seconds = (performance.now() - startedAt) / 1_000 - told.seconds;
    const { longestMs } = load;
    await sleep(SETTLE_MS);
    const after = await imbalance(name);
    return {
      ...{ before, after, told: told.imbalance, hottestSlot: hot.slots[0]!.share * Number(options.shards) },
      ...{ slots: told.estimate?.slots ?? 0, seconds, longestMs, errors: load.errors, perSecond: load.perSecond },
    };
  } finally {
    await load.stop();
    await fleet.run('db', 'delete', name, '--yes');
    await fleet.untilGone(name);
  }
}

/** Processor time of the primaries' processes while so many seconds pass. */
async function imbalance(name: string): Promise<number> {
  const pids = (await fleet.client.database(name)).shards.map(({ primary }) => primary!.pid!);
  const before = pids.map(cpuMs);
  await sleep(SECONDS * 1_000);
  const used = pids.map((pid, at) => cpuMs(pid) - before[at]!);
  return (Math.max(...used) * used.length) / used.reduce((sum, one) => sum + one, 0);
}
