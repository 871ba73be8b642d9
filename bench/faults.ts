/**
 * How long writes wait after each fault, and what is lost: Valkeeper beside the engine left to itself and beside Sentinel,
 * in one run, on hosts of their own (network namespaces). What the figures mean is told in docs/reliability.md.
 *
 *   npm run bench:faults -- [--rows ID,...] [--times N] [--baseline-times N] [--systems valkeeper,alone,sentinel]
 *                           [--per-second N] [--seed N] [--out FOLDER] [--spoil N] [--json]
 *   npm run bench:faults -- --table FOLDER,...          # of runs made before, in one table
 *
 * `--times` is for every row; without it each row has its own number. `--baseline-times 0` leaves the others out.
 * `--spoil N` removes so many acknowledged writes behind the back of each repetition, to see that it is noticed.
 * Needs root, for the namespaces. The raw history of every repetition is kept in the folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { testEngine } from '../test/support/engine.ts';
import { ensureFaultTools } from '../test/support/net-faults.ts';
import { earlierResults } from './faults/earlier.ts';
import { Output } from './faults/output.ts';
import { PlainCluster } from './faults/plain-cluster.ts';
import { PlainSentinel } from './faults/plain-sentinel.ts';
import { ROWS, type Row } from './faults/rows.ts';
import { type RowResult, runRow } from './faults/run-row.ts';
import type { System } from './faults/system.ts';
import { faultTable } from './faults/table.ts';
import { Valkeeper } from './faults/valkeeper.ts';
import { describeMachine, sourceCommit } from './support/machine.ts';
import { printReport, progress, reportText } from './support/report.ts';
import { onStage, SIGNALS, type Stage } from './support/stage.ts';

const WRITES_PER_SECOND = 2_000;
const BASELINE_TIMES = 10;

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string' },
    times: { type: 'string' },
    'baseline-times': { type: 'string', default: `${BASELINE_TIMES}` },
    systems: { type: 'string', default: 'valkeeper,alone,sentinel' },
    'per-second': { type: 'string', default: `${WRITES_PER_SECOND}` },
    seed: { type: 'string', default: '1' },
    out: { type: 'string' },
    spoil: { type: 'string', default: '0' },
    table: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

/** What the rows are compared with, by the word for `--systems`; each is started anew for its rows. */
const BASELINES: readonly { word: string; start: (stage: Stage, serverPath: string) => Promise<System> }[] = [
  { word: 'alone', start: (stage, path) => PlainCluster.start(stage, path, 15_000) },
  { word: 'alone', start: (stage, path) => PlainCluster.start(stage, path, 2_000) },
  { word: 'sentinel', start: (stage, path) => PlainSentinel.start(stage, path, 5_000) },
  { word: 'sentinel', start: (stage, path) => PlainSentinel.start(stage, path, 1_000) },
];

if (options.table !== undefined) {
  const results = earlierResults(options.table.split(','));
  const systems = [...new Set(['Valkeeper', ...results.map(({ system }) => system)])];
  const machine = describeMachine((await testEngine()).version);
  printReport({ machine, tables: [faultTable(results, systems)], measurements: [] }, options.json);
} else if (Object.values(networkInterfaces()).some((all) => all!.some(({ internal }) => !internal))) {
  await againOnOwnNetwork();
} else {
  process.exitCode = await main();
}

/** Runs this program again in a network of its own, from which it reaches the hosts; signals are passed on. */
async function againOnOwnNetwork(): Promise<void> {
  const words = ['--net', process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const child = spawn('unshare', words, { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  process.exitCode = code ?? 1;
}

async function main(): Promise<number> {
  const rows = chosenRows();
  const words = options.systems.split(',');
  await ensureFaultTools();
  const engine = await testEngine();
  const machine = describeMachine(engine.version);
  const seed = Number(options.seed);
  const folder = options.out ?? join('fault-runs', new Date().toISOString().replaceAll(/[:.]/g, '-'));
  const output = new Output(folder, { options, seed, machine, commit: sourceCommit(), rows: rows.map(({ id }) => id) });
  const common = { seed, output, perSecond: Number(options['per-second']), spoil: Number(options.spoil) };
  const results: RowResult[] = [];
  const systems: string[] = ['Valkeeper'];

  for (const machines of new Set(words.includes('valkeeper') ? rows.map(({ database }) => database.machines) : [])) {
    await onStage(async (stage) => {
      progress(`Valkeeper, ${machines} machines`);
      const system = await Valkeeper.start(stage, machines);
      for (const row of rows.filter(({ database }) => database.machines === machines)) {
        const times = options.times === undefined ? row.times : Number(options.times);
        results.push(await runRow(row, system, { ...common, times }));
      }
    });
  }
  const times = Number(options['baseline-times']);
  const compared = times > 0 ? rows.filter((row) => row.compared) : [];
  for (const { word, start } of compared.length > 0 ? BASELINES : []) {
    if (!words.includes(word)) continue;
    await onStage(async (stage) => {
      const system = await start(stage, engine.serverPath);
      systems.push(system.name);
      for (const row of compared) results.push(await runRow(row, system, { ...common, times }));
    });
  }

  results.sort((a, b) => rows.indexOf(a.row) - rows.indexOf(b.row));
  const report = { machine, tables: [faultTable(results, systems)], measurements: results.map(withoutAct) };
  output.report(reportText(report));
  printReport(report, options.json);
  progress(`all of it is in ${folder}`);
  return results.some(({ failure }) => failure !== null) ? 1 : 0;
}

function chosenRows(): Row[] {
  const asked = options.rows?.split(',') ?? ROWS.map(({ id }) => id);
  return asked.map((id) => {
    const row = ROWS.find((one) => one.id === id);
    if (!row) throw new Error(`there is no row ${id}; there are ${ROWS.map((one) => one.id).join(', ')}`);
    return row;
  });
}

/** For the document: without what cannot be written down. */
function withoutAct({ row: { id }, system, repetitions, failure }: RowResult): object {
  return { row: id, system, repetitions, failure };
}
