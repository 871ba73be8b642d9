/**
 * Valkeeper's reshard beside `valkey-cli --cluster rebalance`, key by key and with atomic slot migration: from 3 to 4
 * shards and back, with a replica each, idle and under a steady load; in one run, on one engine, with the same settings,
 * data, cluster clients and load. What the figures mean is told in docs/resharding.md.
 *
 *   npm run bench:rebalance -- [--systems fast,gentle,keys,atomic[,fast-endpoint,gentle-endpoint]] [--only idle|load]
 *                              [--times N] [--bytes 1gb] [--per-second N] [--spoil N] [--out FOLDER] [--json]
 *   npm run bench:rebalance -- --table FOLDER,...          # of runs made before, in one table
 *
 * `--spoil N` removes so many acknowledged writes behind the back of each check, to see that it is noticed. The raw history
 * of every move is kept in the folder.
 *
 * Each system begins with fresh processes, filled alike, for each load and each repetition; the order of systems turns
 * round from one repetition to the next. The processes of valkey-cli have the very files with settings and users that
 * Valkeeper made for six nodes: memory limit, append-only file, node timeout, diskless copies.
 *
 * What is timed, for all alike: a bystander asks every primary each 10 ms who owns which slots. The time of the slots
 * begins when it sees the first job (CLUSTER GETSLOTMIGRATIONS) or the first slot on its way (CLUSTER NODES), and ends with
 * the last owner that it is told by all primaries that stay. The start of new nodes (`add-node`) is before it, the end of
 * those without slots (`del-node`) after it: both are in the time from the command to its end, of which valkey-cli has
 * several, one after the other.
 *
 * As much memory as the data takes is touched before each move, and free when the first slot moves: a virtual machine may
 * have given free memory back to its host, and new nodes pay for its first use.
 */

import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { parseSize } from '../src/domain/size.ts';
import { testEngine } from '../test/support/engine.ts';
import { aboutIn, type Kept, keptIn, Output } from './faults/output.ts';
import { keysFor } from './rebalance/data.ts';
import { fill } from './rebalance/fill.ts';
import { Load } from './rebalance/load.ts';
import { measureMove } from './rebalance/move.ts';
import { CONDITIONS, type Failed, type Move, resultsOf } from './rebalance/result.ts';
import { COMPARED, SYSTEMS, type System, type SystemId } from './rebalance/system.ts';
import { rebalanceTables } from './rebalance/table.ts';
import { passwordIn, startFleet, Valkeeper } from './rebalance/valkeeper.ts';
import { type Surroundings, ValkeyCli } from './rebalance/valkey-cli.ts';
import { listed, verdicts, wordsOf } from './rebalance/verdict.ts';
import { templatesOf } from './support/cli-cluster.ts';
import { describeMachine, type Machine, sourceCommit } from './support/machine.ts';
import { printReport, progress, reportText } from './support/report.ts';
import { onStage, type Stage } from './support/stage.ts';
import { ms } from './support/stats.ts';

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: COMPARED.join() },
    only: { type: 'string' },
    times: { type: 'string', default: '3' },
    bytes: { type: 'string', default: '1gb' },
    'per-second': { type: 'string', default: '2000' },
    spoil: { type: 'string', default: '0' },
    out: { type: 'string' },
    table: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const MIB = 1024 ** 2;
/** A database has so many times the memory that its data takes, and this at least. */
const ROOM = 3;
const LEAST_MEMORY = 256 * MIB;
const ATOMIC = '--cluster-use-atomic-slot-migration';
const FAILURE_CHARACTERS = 300;

const TIMES = Number(options.times);
const PER_SECOND = Number(options['per-second']);
const SPOIL = Number(options.spoil);
const bytes = parseSize(options.bytes);
if (bytes === null) throw new Error(`--bytes is a size such as 1gb, not ${options.bytes}`);
const KEYS = keysFor(bytes);
const MEMORY = `${Math.ceil(Math.max(LEAST_MEMORY, ROOM * bytes) / MIB)}mb`;

/** What a run was made with. */
interface About {
  options: { bytes: string; 'per-second': string };
  machine: Machine;
  commit: string;
}

const engine = await testEngine();

if (options.table === undefined) {
  await measure();
} else {
  const folders = options.table.split(',');
  const abouts = folders.map((folder) => aboutIn<About>(folder));
  if (new Set(abouts.map(titleOf)).size > 1) throw new Error('these runs have not the same data and load');
  report(
    folders.flatMap((folder) => keptIn<Move | Failed>(folder)),
    abouts[0]!,
  );
}

async function measure(): Promise<void> {
  const systems = chosenSystems();
  const loads = chosenLoads();
  const folder = options.out ?? join('rebalance-runs', new Date().toISOString().replaceAll(/[:.]/g, '-'));
  const about: About = { options, machine: describeMachine(engine.version), commit: sourceCommit() };
  const output = new Output(folder, about);
  const around = await surroundings();
  const kept: Kept<Move | Failed>[] = [];
  const keep = (row: string, system: SystemId, one: Move | Failed, raw: unknown): void => {
    output.keep(row, system, one, raw);
    kept.push({ ...one, row, system });
    progress(
      `${row}, ${SYSTEMS[system]}, ${one.number} of ${TIMES}: ${'failure' in one ? one.failure : describe(one)}`,
    );
  };
  for (let number = 1; number <= TIMES; number += 1) {
    for (const isLoaded of loads) {
      for (const id of number % 2 === 1 ? systems : systems.toReversed()) {
        if (isLoaded || COMPARED.includes(id)) await repeat(id, number, isLoaded, around, keep);
      }
    }
  }
  output.report(report(kept, about));
  progress(`all of it is in ${folder}`);
}

function chosenSystems(): SystemId[] {
  const words = options.systems.split(',');
  const stranger = words.find((word) => !(word in SYSTEMS));
  if (stranger) throw new Error(`there is no system ${stranger}; there are ${Object.keys(SYSTEMS).join(', ')}`);
  return words as SystemId[];
}

/** Without and with. */
function chosenLoads(): boolean[] {
  const { only } = options;
  if (only !== undefined && only !== 'idle' && only !== 'load') throw new Error(`--only is idle or load, not ${only}`);
  return [false, true].filter((isLoaded) => only === undefined || isLoaded === (only === 'load'));
}

/** The settings of a database that Valkeeper made, for processes without it. */
async function surroundings(): Promise<Surroundings> {
  let made: Surroundings | null = null;
  await onStage(async (stage) => {
    progress('taking over the settings of six nodes');
    const { fleet, status } = await startFleet(stage, MEMORY);
    made = { engine, templates: templatesOf(fleet, status), password: await passwordIn(fleet) };
  });
  return made!;
}

/** There and back. What goes wrong ends it, and is kept: the table is to show it. */
async function repeat(
  id: SystemId,
  number: number,
  isLoaded: boolean,
  around: Surroundings,
  keep: (row: string, system: SystemId, one: Move | Failed, raw: unknown) => void,
): Promise<void> {
  let under = CONDITIONS.find((condition) => condition.isLoaded === isLoaded)!;
  try {
    await onStage(async (stage) => {
      const system = await start(id, stage, around);
      const [first] = await system.addresses();
      await fill(system.nodes, first!, KEYS);
      const load = isLoaded ? new Load(stage, system.target) : null;
      for (under of CONDITIONS.filter((condition) => condition.isLoaded === isLoaded)) {
        const plan = { system, load, perSecond: PER_SECOND, keys: KEYS, number, spoil: SPOIL };
        const { move, raw } = await measureMove(plan, under.from, under.to);
        keep(under.id, id, move, raw);
      }
    });
  } catch (error) {
    const { message, cause } = error as Error;
    const whole = cause instanceof Error ? `${message} (${cause.message})` : message;
    progress(`${wordsOf(under)}, ${SYSTEMS[id]}: ${whole}`);
    const failure = whole.replaceAll(/[\s|]+/g, ' ').slice(0, FAILURE_CHARACTERS); // it stands in a cell of the table
    keep(under.id, id, { number, failure }, null);
  }
}

function start(id: SystemId, stage: Stage, around: Surroundings): Promise<System> {
  switch (id) {
    case 'keys':
      return ValkeyCli.start(stage, around, []);
    case 'atomic':
      return ValkeyCli.start(stage, around, [ATOMIC]);
    case 'fast':
    case 'gentle':
      return Valkeeper.start(stage, MEMORY, id, 'cluster');
    case 'fast-endpoint':
      return Valkeeper.start(stage, MEMORY, 'fast', 'endpoint');
    case 'gentle-endpoint':
      return Valkeeper.start(stage, MEMORY, 'gentle', 'endpoint');
  }
}

function describe({ slots, slotsMs, beforeMs, wholeMs, keys, clients, dataBytes }: Move): string {
  return [
    `${slots} slots in ${ms(slotsMs)}, after ${ms(beforeMs)}, all ${ms(wholeMs)}`,
    `${keys.before} keys (${Math.round(dataBytes / MIB)} MB), then ${keys.after} with ${keys.added} new`,
    ...(clients === null
      ? []
      : [
          `waits ${ms(clients.moving.longestMs)}, p99 ${ms(clients.moving.p99Ms)}, own ${ms(clients.moving.ownMs)}`,
          `of the whole ${ms(clients.whole.longestMs)}, own ${ms(clients.whole.ownMs)}`,
          `errors ${listed(clients.errors)}, lost ${clients.readBack.lost} of ${clients.readBack.checked}`,
        ]),
  ].join('; ');
}

function titleOf({ options: { bytes, 'per-second': perSecond } }: About): string {
  return `${bytes} in keys of 1 kB, a replica each, ${perSecond} operations a second under load`;
}

/** Prints it. @returns its text */
function report(kept: readonly Kept<Move | Failed>[], about: About): string {
  const results = resultsOf(kept);
  const tables = rebalanceTables(results, titleOf(about));
  const whole = { machine: about.machine, tables, measurements: results };
  printReport(whole, options.json);
  if (verdicts(results).some(({ holds }) => holds === false)) process.exitCode = 1;
  return reportText(whole);
}
