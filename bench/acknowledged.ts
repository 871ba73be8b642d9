/**
 * What it costs that replicas acknowledge each write: two databases alike but for their durability, asked through the
 * same endpoint in turn. What the figures mean is told in docs/benchmarks.md.
 */
import { parseArgs } from 'node:util';
import { runChild, stopChildren } from './support/children.ts';
import { Fleet } from './support/fleet.ts';
import { accepts } from './support/formation.ts';
import { type BenchmarkResult, parseAddress, parseBenchmark } from './support/load-output.ts';
import { loadProgram } from './support/load-program.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { summarize } from './support/stats.ts';

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '5' } },
});
const ROUNDS = Number(options.rounds);
/** Of the asynchronous throughput, 16 deep on 50 connections, at the least. */
const DEMAND = 0.5;
const DEADLINE_MS = 120_000;
const KEYS = 100_000;
const VALUE_BYTES = 64;

const LOADS = [
  { title: 'SET, 1 client', command: 'SET', clients: 1, pipeline: 1, operations: 10_000 },
  { title: 'SET, 1 client, 16 deep', command: 'SET', clients: 1, pipeline: 16, operations: 100_000 },
  { title: 'SET, 50 clients', command: 'SET', clients: 50, pipeline: 1, operations: 100_000 },
  { title: 'SET, 50 clients, 16 deep', command: 'SET', clients: 50, pipeline: 16, operations: 600_000 },
  { title: 'GET, 50 clients', command: 'GET', clients: 50, pipeline: 1, operations: 100_000 },
] as const;
const DEMANDED = LOADS[3];
type Load = (typeof LOADS)[number];

const DURABILITIES = ['async', 'acknowledged'] as const;
type Durability = (typeof DURABILITIES)[number];

await using fleet = new Fleet('127.0.66.11');
await using _children = { [Symbol.asyncDispose]: stopChildren };
const engine = await fleet.engine();
const machine = describeMachine(engine.version);
const program = await loadProgram(engine);
const addresses = await createDatabases();
const measured = new Map<string, BenchmarkResult[]>();

for (let round = 0; round <= ROUNDS; round += 1) {
  progress(round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`);
  for (const load of LOADS) {
    // Who begins takes turns.
    for (const durability of round % 2 === 0 ? DURABILITIES : DURABILITIES.toReversed()) {
      const result = await run(durability, load);
      if (round > 0) resultsOf(durability, load).push(result);
    }
  }
}

printReport(
  {
    machine,
    tables: [
      {
        title: `3 shards, 1 replica each, values of ${VALUE_BYTES} bytes; medians of ${ROUNDS} rounds`,
        head: [
          'load',
          'async, op/s',
          'acknowledged, op/s',
          'share',
          'async, p50 / p99 ms',
          'acknowledged, p50 / p99 ms',
        ],
        rows: LOADS.map(row),
      },
    ],
    measurements: Object.fromEntries(measured),
  },
  options.json,
);
if (shareOf(DEMANDED) < DEMAND) {
  progress(
    `${DEMANDED.title}: ${percent(shareOf(DEMANDED))} of the asynchronous throughput, demanded ${percent(DEMAND)}`,
  );
  process.exitCode = 1;
}

async function createDatabases(): Promise<Record<Durability, { host: string; port: number }>> {
  progress('starting a fleet with two databases');
  await fleet.up('--machines', '2');
  const spec = ['--shards', '3', '--replicas', '1', '--memory', '256mb', '--persistence', 'none', '--no-auth'];
  const create = async (durability: Durability) => {
    await fleet.run('db', 'create', durability, ...spec, '--durability', durability);
    const { endpoint } = JSON.parse((await fleet.run('db', 'show', durability, '--json')).stdout) as {
      endpoint: unknown;
    };
    const address = parseAddress(endpoint);
    await accepts(address);
    return address;
  };
  return { async: await create('async'), acknowledged: await create('acknowledged') };
}

async function run(durability: Durability, { command, clients, pipeline, operations }: Load): Promise<BenchmarkResult> {
  const { host, port } = addresses[durability];
  const how = ['-c', clients, '-P', pipeline, '-n', operations, '-r', KEYS, '-d', VALUE_BYTES].map(String);
  const what = command === 'GET' ? ['GET', 'key:__rand_int__'] : ['SET', 'key:__rand_int__', '__data__'];
  const args = ['-h', host, '-p', `${port}`, '--csv', ...how, '--', ...what];
  return parseBenchmark(await runChild(program, args, DEADLINE_MS));
}

function resultsOf(durability: Durability, { title }: Load): BenchmarkResult[] {
  const key = `${title}: ${durability}`;
  const results = measured.get(key) ?? [];
  measured.set(key, results);
  return results;
}

function median(durability: Durability, load: Load, figure: keyof BenchmarkResult): number {
  return summarize(resultsOf(durability, load).map((result) => result[figure])).median;
}

function shareOf(load: Load): number {
  return median('acknowledged', load, 'perSecond') / median('async', load, 'perSecond');
}

function row(load: Load): string[] {
  const rates = DURABILITIES.map((one) => Math.round(median(one, load, 'perSecond')).toLocaleString('en'));
  const times = DURABILITIES.map((one) =>
    (['p50', 'p99'] as const).map((figure) => (median(one, load, figure) / 1000).toFixed(2)).join(' / '),
  );
  return [load.title, ...rates, percent(shareOf(load)), ...times];
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
