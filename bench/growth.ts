/**
 * What more databases cost: 1, 10 and 50 of one shard with one replica, nobody connected. Memory as PSS and processor
 * time over a minute, of Valkeeper's own processes and of the nodes; the time of a look, and of `db create`. What the
 * figures mean is told in docs/benchmarks.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { runningServer } from '../src/main/data-dir.ts';
import { recordedAgent } from '../src/main/local-fleet.ts';
import type { LookTimes } from '../src/protocol/api.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { cpuMs, pssAloneBytes, pssBytes } from './support/process-cost.ts';
import { printReport, progress } from './support/report.ts';
import { ms, type Summary, spread, summarize } from './support/stats.ts';

const SIZES = [1, 10, 50];
const CREATIONS = 5;
const QUIET_MS = 10_000;
const MEASURED_MS = 60_000;
const ADDRESS_BASE = '127.0.65.11';
const SPEC = ['--shards', '1', '--replicas', '1', '--memory', '8mb', '--persistence', 'none'];

/** Of the largest size: the most that Valkeeper's own processes may use of one core, and `db create` against the first. */
const DEMANDS = { cpuPercent: 5, createRatio: 2 };

interface Measured {
  databases: number;
  creations: number[];
  ownMb: number;
  controlMb: number;
  nodesMb: number;
  ownCpuPercent: number;
  controlCpuPercent: number;
  nodesCpuPercent: number;
  looksPerSecond: number;
  lookMs: number;
}

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);

// The first start may still compile; only the second runs on compiled code, as every later one does.
progress('starting, stopping, starting again');
await fleet.up();
await fleet.down();
await fleet.up();
await fleet.run('db', 'delete', 'main', '--yes');

const measured: Measured[] = [];
let databases = 0;
for (const size of SIZES) {
  while (databases < size - 1) await create(nameOf(++databases));
  const creations = await createAgain(nameOf(++databases));
  progress(`${size} databases: db create ${creations.map(ms).join(', ')}; now ${MEASURED_MS / 1000} s are measured`);
  await sleep(QUIET_MS);
  const one = { databases: size, creations, ...(await costs()) };
  progress(`${one.ownCpuPercent.toFixed(2)} % of a core, ${one.ownMb.toFixed(1)} MB, a look ${ms(one.lookMs)}`);
  measured.push(one);
}

const [first, last] = [measured[0]!, measured.at(-1)!];
const createRatio = median(last) / median(first);
const mb = (value: number): string => `${value.toFixed(1)} MB`;
const percent = (value: number): string => `${value.toFixed(2)} %`;
const row = (words: string, cell: (one: Measured) => string): string[] => [words, ...measured.map(cell)];

printReport({
  machine,
  tables: [
    {
      title: `Quiet databases of 1 shard, 1 replica, 8 MB, nothing on disk, over ${MEASURED_MS / 1000} s`,
      head: ['', ...measured.map((one) => `${one.databases} (${one.databases * 2} nodes)`)],
      rows: [
        row('memory of Valkeeper (PSS, as if nothing else here ran on Node)', (one) => mb(one.ownMb)),
        row('of that, the control plane', (one) => mb(one.controlMb)),
        row('memory of the nodes (PSS)', (one) => mb(one.nodesMb)),
        row('**Valkeeper, of one core**', (one) => percent(one.ownCpuPercent)),
        row('of that, the control plane', (one) => percent(one.controlCpuPercent)),
        row('the nodes, of one core', (one) => percent(one.nodesCpuPercent)),
        row('looks a second', (one) => one.looksPerSecond.toFixed(1)),
        row('one look (mean)', (one) => ms(one.lookMs)),
        row(`**\`db create\`** (${CREATIONS} times)`, (one) => spread(summaryOf(one))),
      ],
    },
    {
      title: 'What is demanded',
      head: ['', 'measured', 'demand', 'holds'],
      rows: [
        [
          `Valkeeper with ${last.databases} quiet databases, of one core`,
          percent(last.ownCpuPercent),
          `< ${DEMANDS.cpuPercent} %`,
          last.ownCpuPercent < DEMANDS.cpuPercent ? 'yes' : 'no',
        ],
        [
          `\`db create\`, database ${last.databases} against the first`,
          `${createRatio.toFixed(2)} x`,
          `<= ${DEMANDS.createRatio} x`,
          createRatio <= DEMANDS.createRatio ? 'yes' : 'no',
        ],
      ],
    },
  ],
  measurements: measured,
});

function nameOf(number: number): string {
  return `bench-${number}`;
}

async function create(name: string): Promise<number> {
  const { durationMs } = await fleet.run('db', 'create', name, ...SPEC);
  return durationMs;
}

/** Creates it several times over; the last one stays. */
async function createAgain(name: string): Promise<number[]> {
  const durations = [await create(name)];
  while (durations.length < CREATIONS) {
    await fleet.run('db', 'delete', name, '--yes');
    durations.push(await create(name));
  }
  return durations;
}

function summaryOf(one: Measured): Summary {
  return summarize(one.creations);
}

function median(one: Measured): number {
  return summaryOf(one).median;
}

/** Of all processes, over a while in which nothing happens. */
async function costs(): Promise<Omit<Measured, 'databases' | 'creations'>> {
  const { client, dataDir } = fleet;
  const { databases: states, machines } = await client.status();
  const unready = states.filter(({ state }) => state !== 'ready');
  if (unready.length > 0) throw new Error(`not ready: ${JSON.stringify(unready)}`);
  const control = runningServer(dataDir)!.pid;
  const own = [control, ...machines.map(({ name }) => recordedAgent(dataDir, name)!.pid)];
  const shards = (await client.databases()).databases.flatMap((database) => database.shards);
  const nodes = shards.flatMap(({ primary, replicas }) => [primary!, ...replicas].map(({ pid }) => pid!));

  const before = new Map([...own, ...nodes].map((pid) => [pid, cpuMs(pid)]));
  const looksBefore = (await client.status()).looks;
  const startedAt = performance.now();
  await sleep(MEASURED_MS);
  const elapsedMs = performance.now() - startedAt;
  const looks = difference(looksBefore, (await client.status()).looks);
  const cpuPercent = (pids: readonly number[]): number =>
    (pids.reduce((sum, pid) => sum + cpuMs(pid) - before.get(pid)!, 0) / elapsedMs) * 100;

  return {
    ownMb: pssAloneBytes(own) / 1024 ** 2,
    controlMb: pssAloneBytes([control]) / 1024 ** 2,
    nodesMb: nodes.reduce((sum, pid) => sum + pssBytes(pid), 0) / 1024 ** 2,
    ownCpuPercent: cpuPercent(own),
    controlCpuPercent: cpuPercent([control]),
    nodesCpuPercent: cpuPercent(nodes),
    looksPerSecond: (looks.count / elapsedMs) * 1_000,
    lookMs: looks.totalMs / looks.count,
  };
}

function difference(before: LookTimes, after: LookTimes): LookTimes {
  return { count: after.count - before.count, totalMs: after.totalMs - before.totalMs };
}
