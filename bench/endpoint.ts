/**
 * What the endpoint costs beside twemproxy, and beside no proxy at all: processor time an operation, waiting times at a
 * fixed rate, and idle connections. All in one run, each load on each target in turn. What the figures mean is told in
 * docs/benchmarks.md.
 *
 *   npm run bench:endpoint -- [--quick] [--json] [--only get,mget,rate,idle] [--repetitions N]
 *       [--endpoint HOST:PORT --pid PID[,PID]] [--endpoint-2 HOST:PORT --pid-2 PID[,PID]]
 *       [--proxy 'COMMAND {port} {shards}']
 *
 * By default fleets of its own are started. `--endpoint` measures one that runs: a 3-shard database without a password;
 * `--endpoint-2` another with two workers. `--proxy` puts any other proxy in the endpoint's place, in front of three
 * standalone servers.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { stopChildren } from './support/children.ts';
import { CLOSED_LOADS, type ClosedLoad } from './support/endpoint-loads.ts';
import {
  atRate,
  Bench,
  CONNECTIONS,
  type Cost,
  connectIdle,
  memoryOf,
  type RateCost,
} from './support/endpoint-measure.ts';
import {
  fleetEndpoint,
  MBUF_BYTES,
  runningEndpoint,
  startEngine,
  startProxy,
  startShards,
  startTwemproxy,
  type Target,
  workersEnv,
} from './support/endpoint-targets.ts';
import { Fleet } from './support/fleet.ts';
import { loadProgram } from './support/load-program.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress, type Table } from './support/report.ts';
import { type Summary, summarize } from './support/stats.ts';

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    repetitions: { type: 'string' },
    endpoint: { type: 'string' },
    pid: { type: 'string' },
    'endpoint-2': { type: 'string' },
    'pid-2': { type: 'string' },
    proxy: { type: 'string' },
  },
});

const { quick } = options;
const REPETITIONS = Number(options.repetitions ?? (quick ? 2 : 5));
/** A smoke test asks a fraction of everything: its figures mean nothing. */
const FRACTION = quick ? 0.05 : 1;
const RATE_MS = quick ? 500 : 3_000;
const IDLE = quick ? 200 : 10_000;
const SETTLE_MS = quick ? 200 : 2_000;
/** Of the slower one's maximum. */
const RATE_SHARE = 0.6;
const DEMANDS = { p99: 1.25, idleKb: 10, idleP99: 1.1 };
const ADDRESS_BASES = ['127.0.64.11', '127.0.65.11'] as const;

const wanted = (id: string): boolean => options.only === undefined || options.only.split(',').includes(id);

await using fleet = new Fleet(ADDRESS_BASES[0], workersEnv(1));
await using fleet2 = new Fleet(ADDRESS_BASES[1], workersEnv(2));
await using _children = { [Symbol.asyncDispose]: stopChildren };
const engine = await fleet.engine();
const machine = describeMachine(engine.version);
const bench = new Bench(await loadProgram(engine));

const targets = await startTargets();
const target = (id: Target['id']): Target | undefined => targets.find((one) => one.id === id);
for (const one of targets) {
  progress(`filling ${one.name}`);
  await bench.fill(one);
}
const warmUp = CLOSED_LOADS.filter(({ id }) => id === 'get' || id === 'set');
for (const load of warmUp) for (const one of targets) await bench.closed(one, load, 50_000 * FRACTION);

const tables: Table[] = [];
const measurements: Record<string, unknown> = {};

// Memory first: later loads leave heaps with room in them, which would hide what connections take.
if (wanted('idle')) await measureIdleMemory();

const closed = new Map<string, Map<string, Cost[]>>();
for (const load of CLOSED_LOADS.filter(({ id }) => wanted(id))) closed.set(load.id, await measureClosed(load));
if (closed.size > 0) tables.push(cpuTable(), throughputTable());

if (wanted('rate')) await measureRates();
if (wanted('idle')) await measureIdleWaits();

printReport({ machine, tables, measurements }, options.json);

async function startTargets(): Promise<Target[]> {
  progress('starting servers and proxies');
  const { serverPath } = engine;
  const { scratch } = fleet;
  const twemproxy = await startTwemproxy(await startShards(serverPath, scratch), scratch);
  return [twemproxy, ...(await endpoints()), await startEngine(serverPath, scratch)];
}

async function endpoints(): Promise<Target[]> {
  if (options.proxy !== undefined) {
    const shards = await startShards(engine.serverPath, fleet.scratch);
    return [await startProxy(options.proxy, shards, fleet.scratch)];
  }
  if (options.endpoint !== undefined) {
    const second = options['endpoint-2'];
    return [
      runningEndpoint('endpoint', options.endpoint, options.pid ?? ''),
      ...(second === undefined ? [] : [runningEndpoint('endpoint-2', second, options['pid-2'] ?? '')]),
    ];
  }
  const one = await fleetEndpoint(fleet, 1);
  if (one === null) throw new Error('the endpoint does not run with one worker');
  const two = await fleetEndpoint(fleet2, 2);
  if (two === null) progress('no figures for 2 workers: the endpoint does not run with two');
  return two === null ? [one] : [one, two];
}

/** Each target in turn, again and again. */
async function inTurn<T extends { cpuUs: number }>(
  what: string,
  of: readonly Target[],
  once: (one: Target) => Promise<T>,
): Promise<Map<string, T[]>> {
  const found = new Map<string, T[]>(of.map(({ id }) => [id, []]));
  for (let run = 1; run <= REPETITIONS; run += 1) {
    for (const one of of) found.get(one.id)!.push(await once(one));
    const costs = of.map(({ id }) => `${id} ${digits(found.get(id)!.at(-1)!.cpuUs)}`);
    progress(`${what}: ${run} of ${REPETITIONS}: µs an operation: ${costs.join(', ')}`);
  }
  return found;
}

async function measureClosed(load: ClosedLoad): Promise<Map<string, Cost[]>> {
  const operations = Math.ceil(load.operations * FRACTION);
  const costs = await inTurn(load.title, targets, (one) => bench.closed(one, load, operations));
  measurements[load.id] = Object.fromEntries(costs);
  return costs;
}

function digits(value: number): string {
  return value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });
}

function spreadOf({ median, min, max }: Summary, unit: string): string {
  return `${digits(median)}${unit} (${digits(min)} to ${digits(max)})`;
}

/** The ratio of the medians, the smallest and largest ratio of neighbours, what is demanded and whether it holds. */
function judged(ours: readonly number[], theirs: readonly number[], demand: number): string[] {
  const ratio = summarize(ours).median / summarize(theirs).median;
  const pairs = summarize(ours.map((value, index) => value / theirs[index]!));
  const range = `(${pairs.min.toFixed(2)} to ${pairs.max.toFixed(2)})`;
  return [`**${ratio.toFixed(2)} x** ${range}`, `<= ${demand.toFixed(2)} x`, ratio <= demand ? 'yes' : 'no'];
}

function column<T>(found: Map<string, T[]>, id: Target['id'], value: (one: T) => number): number[] {
  return (found.get(id) ?? []).map(value);
}

function cell<T>(found: Map<string, T[]>, id: Target['id'], value: (one: T) => number, unit: string): string {
  const values = column(found, id, value);
  return values.length === 0 ? '' : spreadOf(summarize(values), unit);
}

function names(): string[] {
  return targets.filter(({ id }) => id === 'endpoint-2' || id === 'engine').map(({ name }) => name);
}

function others<T>(found: Map<string, T[]>, value: (one: T) => number, unit: string): string[] {
  return (['endpoint-2', 'engine'] as const).filter(target).map((id) => cell(found, id, value, unit));
}

function cpuTable(): Table {
  const cpu = ({ cpuUs }: Cost): number => cpuUs;
  return {
    title: `Processor time an operation, ${CONNECTIONS} connections (median of ${REPETITIONS}, min to max; twemproxy with -m ${MBUF_BYTES})`,
    head: ['', 'twemproxy', target('endpoint')!.name, 'ratio', 'demand', 'holds', ...names()],
    rows: CLOSED_LOADS.flatMap(({ id, title, demand }) => {
      const costs = closed.get(id);
      if (!costs) return [];
      return [
        [
          title,
          cell(costs, 'twemproxy', cpu, ' µs'),
          cell(costs, 'endpoint', cpu, ' µs'),
          ...judged(column(costs, 'endpoint', cpu), column(costs, 'twemproxy', cpu), demand),
          ...others(costs, cpu, ' µs'),
        ],
      ];
    }),
  };
}

function throughputTable(): Table {
  const rate = ({ perSecond }: Cost): number => perSecond;
  return {
    title: 'Operations a second meanwhile (load program and servers share the same cores)',
    head: ['', ...targets.map(({ name }) => name)],
    rows: CLOSED_LOADS.flatMap(({ id, title }) => {
      const costs = closed.get(id);
      return costs ? [[title, ...targets.map((one) => cell(costs, one.id, rate, ''))]] : [];
    }),
  };
}

/** 60 % of what the slower of twemproxy and the endpoint can do. */
async function rateFor(id: 'get' | 'set'): Promise<number> {
  const load = CLOSED_LOADS.find((one) => one.id === id)!;
  const costs = closed.get(id) ?? (await measureClosed(load));
  closed.set(id, costs);
  const most = (of: Target['id']): number => summarize(column(costs, of, ({ perSecond }) => perSecond)).median;
  return RATE_SHARE * Math.min(most('twemproxy'), most('endpoint'));
}

async function measureRates(): Promise<void> {
  const paced: string[][] = [];
  const clocked: string[][] = [];
  for (const command of ['GET', 'SET'] as const) {
    const id = command === 'GET' ? 'get' : 'set';
    const rate = await rateFor(id);
    const load = CLOSED_LOADS.find((one) => one.id === id)!;
    const title = `${command} at ${Math.round(rate).toLocaleString('en')} a second`;
    const pacedCosts = await inTurn(title, targets, (one) => bench.paced(one, load, rate, RATE_MS));
    paced.push(...rateRows(title, pacedCosts));
    const byClock = await inTurn(`${title}, by the clock`, targets, (one) => atRate(one, command, rate, RATE_MS));
    clocked.push(
      ...rateRows(title, byClock),
      rateRow(`${title}: (commands late by the load program itself, p99)`, byClock, ({ lateP99 }) => lateP99, null),
    );
    measurements[`rate-${id}`] = { rate, ...Object.fromEntries(pacedCosts) };
    measurements[`clock-${id}`] = { rate, ...Object.fromEntries(byClock) };
  }
  const head = ['', 'twemproxy', target('endpoint')!.name, 'ratio', 'demand', 'holds', ...names()];
  tables.push(
    {
      title: 'At one fixed rate: 60 % of what the slower of the two can do, by the same load program',
      head,
      rows: paced,
    },
    {
      title: 'The same rate, commands due by the clock, by a load program that takes more of the cores',
      head,
      rows: clocked,
    },
  );
}

type Waits = Pick<RateCost, 'p50' | 'p99' | 'cpuUs'>;

function rateRows(title: string, found: Map<string, Waits[]>): string[][] {
  return [
    rateRow(`${title}: p50`, found, ({ p50 }) => p50, null),
    rateRow(`${title}: **p99**`, found, ({ p99 }) => p99, DEMANDS.p99),
    rateRow(`${title}: processor time an operation`, found, ({ cpuUs }) => cpuUs, null),
  ];
}

function rateRow<T>(
  title: string,
  found: Map<string, T[]>,
  value: (one: T) => number,
  demand: number | null,
): string[] {
  const verdict = judged(column(found, 'endpoint', value), column(found, 'twemproxy', value), demand ?? 0);
  return [
    title,
    cell(found, 'twemproxy', value, ' µs'),
    cell(found, 'endpoint', value, ' µs'),
    ...(demand === null ? [verdict[0]!, '', ''] : verdict),
    ...others(found, value, ' µs'),
  ];
}

/** What each connection adds to the memory. */
async function measureIdleMemory(): Promise<void> {
  const rows: string[][] = [];
  const found: Record<string, unknown> = {};
  for (const id of ['twemproxy', 'endpoint', 'endpoint-2'] as const) {
    const one = target(id);
    if (!one) continue;
    const before = memoryOf(one);
    const idle = await connectIdle(one, IDLE);
    await sleep(SETTLE_MS);
    const after = memoryOf(one);
    await idle.end();
    const kb = (after - before) / 1024 / IDLE;
    found[id] = { before, after, count: IDLE };
    const demanded = id === 'endpoint';
    rows.push([
      one.name,
      `${(before / 1024 ** 2).toFixed(1)} MB`,
      `${(after / 1024 ** 2).toFixed(1)} MB`,
      `**${kb.toFixed(2)} KB**`,
      demanded ? `<= ${DEMANDS.idleKb} KB` : '',
      demanded ? (kb <= DEMANDS.idleKb ? 'yes' : 'no') : '',
    ]);
    progress(`memory of ${one.name}: ${kb.toFixed(2)} KB a connection`);
  }
  measurements['idle-memory'] = found;
  tables.push({
    title: `${IDLE.toLocaleString('en')} idle connections: memory (PSS; each has sent one command)`,
    head: ['', 'without', 'with', 'for each', 'demand', 'holds'],
    rows,
  });
}

/** Whether 50 active connections feel the idle ones. */
async function measureIdleWaits(): Promise<void> {
  const rate = await rateFor('get');
  const rows: string[][] = [];
  const found: Record<string, unknown> = {};
  for (const id of ['endpoint', 'twemproxy'] as const) {
    const one = target(id)!;
    const alone: RateCost[] = [];
    const among: RateCost[] = [];
    for (let run = 1; run <= REPETITIONS; run += 1) {
      alone.push(await atRate(one, 'GET', rate, RATE_MS));
      const idle = await connectIdle(one, IDLE);
      await sleep(SETTLE_MS);
      among.push(await atRate(one, 'GET', rate, RATE_MS));
      await idle.end();
      await sleep(SETTLE_MS);
      progress(`50 active connections of ${one.name} among idle ones: ${run} of ${REPETITIONS}`);
    }
    found[id] = { alone, among };
    const p99 = (costs: readonly RateCost[]): number[] => costs.map((cost) => cost.p99);
    const verdict = judged(p99(among), p99(alone), DEMANDS.idleP99);
    const shown = id === 'endpoint' ? verdict : [verdict[0]!, '', ''];
    rows.push([one.name, ...[alone, among].map((costs) => spreadOf(summarize(p99(costs)), ' µs')), ...shown]);
  }
  measurements['idle-waits'] = { rate, ...found };
  tables.push({
    title: `p99 of 50 active connections (GET, ${Math.round(rate).toLocaleString('en')} a second) beside ${IDLE.toLocaleString('en')} idle ones`,
    head: ['', 'without', 'with', 'ratio', 'demand', 'holds'],
    rows,
  });
}
