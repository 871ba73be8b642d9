/**
 * Backups and restores beside what the engine offers: the same data, the same machine, in turn in one run; idle, and under
 * a steady load whose clients tell what they notice.
 *
 *   npm run bench:backups -- [--systems backup,bgsave,cli,restore,load] [--only idle|load] [--bytes 1gb] [--times N]
 *                            [--per-second N] [--out FILE] [--json]
 *
 * One fleet of three local machines with a database of three shards, a replica each, append-only file. Its values have 1 KB:
 * half is chance in base64, of which no other value has any, half is text that all of them have. The engine's LZF, which
 * sees one value at a time, leaves nearly two thirds of it; zstd about two fifths, as base64 has six bits in each byte.
 *
 * - `backup`: `valkeeper backup create` to a folder, from replicas, compressed.
 * - `bgsave`: BGSAVE of the three replicas at once, to their own disks, until none is under way and all went well.
 * - `cli`: `valkey-cli --cluster backup`, which asks the primaries, one after the other, and keeps their RDBs as they come.
 * - `restore`: `valkeeper db restore` beside the first database, into as many shards and into five; every key is counted.
 * - `load`: a plain valkey-server loads the RDB of one shard, a third of the data, from disk.
 *
 * The first three are measured under load as well. Before each it is quiet as long as it took the longest time before, and
 * half as long again (at first a guess, by the bytes): p99 during it is compared with p99 of as long a time just before it.
 * Commands, nodes, load and endpoints share the processors of one machine.
 *
 * Memory: a fleet of local machines takes six tenths of the host's. A database reserves 1.25 times its memory for each copy,
 * and one that is spread from three shards over five needs five thirds of that for a while, beside the first one: with twice
 * the bytes as memory, 13.3 times the bytes. So 24 GB are enough for 1gb, and not for 2gb.
 *
 * `--out` has every measurement with what each operation waited. What fails is kept and shown; the rest goes on.
 */
import { writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { parseSize } from '../src/domain/size.ts';
import { testEngine } from '../test/support/engine.ts';
import {
  clientsIn,
  type Failed,
  LOADED,
  MEASURED,
  type MeasuredId,
  type Measurement,
  SYSTEMS,
  verdicts,
} from './backups/result.ts';
import { Scene } from './backups/scene.ts';
import { backupTables } from './backups/table.ts';
import { nowMs } from './faults/clock.ts';
import { keysFor } from './rebalance/data.ts';
import { fill } from './rebalance/fill.ts';
import type { History } from './rebalance/history.ts';
import { Load } from './rebalance/load.ts';
import { listed } from './rebalance/verdict.ts';
import { describeMachine, sourceCommit } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { onStage, type Stage } from './support/stage.ts';
import { ms } from './support/stats.ts';

const { values: options } = parseArgs({
  options: {
    systems: { type: 'string', default: Object.keys(SYSTEMS).join() },
    only: { type: 'string' },
    bytes: { type: 'string', default: '1gb' },
    times: { type: 'string', default: '3' },
    'per-second': { type: 'string', default: '2000' },
    out: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});

const MIB = 1024 ** 2;
/** A database has so many times the memory that its values take, and this at least. */
const ROOM = 2;
const LEAST_MEMORY = 256 * MIB;
/** The load runs so long before it counts: clients have their connections by then. */
const BEFORE_MS = 2_000;
/** A quiet time is longer than what was measured before by this factor, and this at least. */
const QUIET_FACTOR = 1.5;
const LEAST_QUIET_MS = 5_000;
const GUESSED_MS_PER_MIB = 20;
const FAILURE_CHARACTERS = 300;

/** A measurement with what each operation waited. */
type Raw = Pick<Measurement, 'what' | 'number'> & { beganAt: number; endedAt: number; history: History };

const TIMES = Number(options.times);
const PER_SECOND = Number(options['per-second']);
const bytes = parseSize(options.bytes);
if (bytes === null) throw new Error(`--bytes is a size such as 1gb, not ${options.bytes}`);
const BYTES = bytes;
const KEYS = keysFor(BYTES);
const MEMORY = `${Math.ceil(Math.max(LEAST_MEMORY, ROOM * BYTES) / MIB)}mb`;
const title = `${options.bytes} in values of 1 KB, half chance and half the same, 3 shards with a replica each; ${PER_SECOND} operations a second under load`;

const chosen = chosenMeasurements();
const loads = chosenLoads();
const machine = describeMachine((await testEngine()).version);
const measurements: Measurement[] = [];
const failed: Failed[] = [];
const raw: Raw[] = [];
const longest = new Map<MeasuredId, number>();

await onStage(async (stage) => {
  progress('starting the fleet');
  const scene = await Scene.start(stage, MEMORY);
  progress(`writing ${KEYS} keys`);
  await fill(scene.nodes, scene.addresses[0]!, KEYS, 'half');
  const load = loads.includes(true) ? new Load(stage, scene.target) : null;
  for (let number = 1; number <= TIMES; number += 1) {
    for (const isLoaded of loads) {
      for (const what of number % 2 === 1 ? chosen : chosen.toReversed()) {
        if (isLoaded && !LOADED.includes(what)) continue;
        await repeat(stage, scene, isLoaded ? load : null, what, number);
        keep();
      }
    }
  }
});

const tables = backupTables(measurements, failed, title);
printReport({ machine, tables, measurements: { measurements, failed } }, options.json);
if (verdicts(measurements, failed).some(({ holds }) => holds === false)) process.exitCode = 1;

function chosenMeasurements(): MeasuredId[] {
  const words = options.systems.split(',');
  const stranger = words.find((word) => !Object.hasOwn(SYSTEMS, word));
  if (stranger !== undefined)
    throw new Error(`there is no system ${stranger}; there are ${Object.keys(SYSTEMS).join(', ')}`);
  return words.flatMap((word) => SYSTEMS[word]!);
}

/** Without and with. */
function chosenLoads(): boolean[] {
  const { only } = options;
  if (only !== undefined && only !== 'idle' && only !== 'load') throw new Error(`--only is idle or load, not ${only}`);
  return [false, true].filter((isLoaded) => only === undefined || isLoaded === (only === 'load'));
}

/** What goes wrong is kept: the table is to show it. */
async function repeat(stage: Stage, scene: Scene, load: Load | null, what: MeasuredId, number: number): Promise<void> {
  const about = { what, number, isLoaded: load !== null };
  const words = `${about.isLoaded ? 'under load' : 'idle'}, ${MEASURED[what]}, ${number} of ${TIMES}`;
  try {
    const one = { ...about, ...(await measure(stage, scene, load, what, number)) };
    measurements.push(one);
    progress(`${words}: ${describe(one)}`);
  } catch (error) {
    const { message, cause } = error as Error;
    const whole = cause instanceof Error ? `${message} (${cause.message})` : message;
    progress(`${words}: ${whole}`);
    // It stands in a cell of the table.
    failed.push({ ...about, failure: whole.replaceAll(/[\s|]+/g, ' ').slice(0, FAILURE_CHARACTERS) });
  }
}

async function measure(stage: Stage, scene: Scene, load: Load | null, what: MeasuredId, number: number) {
  await scene.prepare(what);
  if (load === null) {
    const { told } = await scene.measure(stage, what);
    noteLongest(what, told.ms);
    return { ...told, clients: null };
  }
  const quietMs = Math.max(LEAST_QUIET_MS, QUIET_FACTOR * (longest.get(what) ?? (GUESSED_MS_PER_MIB * BYTES) / MIB));
  await load.begin(`${what}-${number}`, KEYS, PER_SECOND, 'half');
  let history: History | null = null;
  try {
    await sleep(BEFORE_MS);
    const quietFrom = nowMs();
    await sleep(quietMs);
    const { told, beganAt, endedAt } = await scene.measure(stage, what);
    history = await load.end();
    noteLongest(what, endedAt - beganAt);
    if (options.out !== undefined) raw.push({ what, number, beganAt, endedAt, history });
    return { ...told, clients: clientsIn(history, quietFrom, beganAt, endedAt) };
  } finally {
    if (history === null) await load.end();
  }
}

function noteLongest(what: MeasuredId, tookMs: number): void {
  longest.set(what, Math.max(tookMs, longest.get(what) ?? 0));
}

/** After each: what was measured is not lost when the rest fails. */
function keep(): void {
  if (options.out === undefined) return;
  const whole = { options, machine, commit: sourceCommit(), measurements, failed, raw };
  writeFileSync(options.out, `${JSON.stringify(whole)}\n`);
}

function describe({ ms: tookMs, rawBytes, storedBytes, skewMs, innerMs, clients }: Measurement): string {
  const size = (value: number | null): string => (value === null ? '?' : `${Math.round(value / MIB)} MB`);
  return [
    `${ms(tookMs)}${innerMs === null ? '' : `, of that ${ms(innerMs)}`}`,
    `${size(rawBytes)}, ${size(storedBytes)} stored`,
    ...(skewMs === null ? [] : [`${ms(skewMs)} apart`]),
    ...(clients === null
      ? []
      : [
          `p99 ${ms(clients.before.p99Ms)} before (${ms(clients.quietMs)}), ${ms(clients.during.p99Ms)} during`,
          `longest ${ms(clients.before.longestMs)} and ${ms(clients.during.longestMs)}`,
          `errors ${listed(clients.errors)}`,
        ]),
  ].join('; ');
}
