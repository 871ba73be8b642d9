/**
 * What clients notice while the number of shards changes: reshards to random numbers under a steady load, through the
 * endpoint and by cluster clients. Everything that was acknowledged is read back after each. What is promised is
 * told in docs/resharding.md.
 *
 *   npm run bench:reshards -- [--times N] [--seed N] [--per-second N] [--pace fast|gentle] [--keys N] [--spoil N] [--json]
 *
 * `--spoil N` removes so many acknowledged values behind the back of each check, to see that it is noticed.
 */
import { parseArgs } from 'node:util';
import { Random } from '../test/sim/random.ts';
import { checkBallast, fillBallast } from './reshards/ballast.ts';
import { Check, spoil } from './reshards/check.ts';
import { Clients } from './reshards/clients.ts';
import { drawCourse, runCourse } from './reshards/course.ts';
import { isClean } from './reshards/judge.ts';
import { Load, type Round } from './reshards/load.ts';
import {
  complaints,
  errorsIn,
  failedIn,
  measuredIn,
  type Repetition,
  reshardTables,
  wordsOf,
} from './reshards/table.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';

const { values: options } = parseArgs({
  options: {
    times: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    'per-second': { type: 'string', default: '2000' },
    pace: { type: 'string', default: 'fast' },
    keys: { type: 'string', default: '60000' },
    spoil: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});

const TIMES = Number(options.times);
const PER_SECOND = Number(options['per-second']);
const KEYS = Number(options.keys);
const SPOIL = Number(options.spoil);
const ADDRESS_BASE = '127.0.73.11';
const DATABASE = 'main';
const MEMORY = '512mb';
/** All of the ballast is read back after so many. */
const BALLAST_EVERY = 10;
/** Of a reshard that went wrong. */
const EVENTS_SHOWN = 60;
const FAILED_SHOWN = 50;

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);
progress('starting the fleet');
await fleet.up();
await fleet.run('db', 'update', DATABASE, '--memory', MEMORY, '--pace', options.pace);
const clients = new Clients(await fleet.untilReady(DATABASE), (await fleet.client.password(DATABASE)).password);
progress(`writing ${KEYS} keys`);
await fillBallast(clients.reader, KEYS);

const random = new Random(Number(options.seed));
const load = new Load(clients, PER_SECOND);
const check = new Check(clients.reader, load.counters);
const repetitions: Repetition[] = [];
let failure: string | null = null;

for (let number = 1; number <= TIMES && failure === null; number += 1) {
  try {
    const repetition = await repeat(number);
    repetitions.push(repetition);
    progress(`${number} of ${TIMES}: ${wordsOf(repetition)}`);
    if (complaints([repetition]).length > 0) showReason(repetition);
    if (repetition.change.isStuck) failure = 'a reshard was stuck, and another would be refused';
  } catch (error) {
    failure = `reshard ${number}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
load.stop();
const lastRound = await load.nextRound();
const last = { found: await checkRound(lastRound), errors: errorsIn(lastRound) };
const ballast = await checkBallast(clients.reader, KEYS);
clients.close();

const result = { repetitions, last, ballast, readErrors: check.errors, operations: load.total, failure };
const title = `${repetitions.length} reshards between 1 and 6 shards, pace ${options.pace}, ${KEYS} keys beside ${PER_SECOND} operations a second`;
printReport(
  {
    machine,
    tables: reshardTables(title, result),
    measurements: { options, ...result, faults: check.faults },
  },
  options.json,
);
for (const { key, slot, about } of check.faults) progress(`${key} (slot ${slot}): ${about}`);
const broken = complaints(repetitions, result);
for (const complaint of broken) progress(`broken: ${complaint}`);
if (broken.length > 0) process.exitCode = 1;

async function repeat(number: number): Promise<Repetition> {
  const { spec } = await fleet.client.database(DATABASE);
  const course = drawCourse(random, spec.shards);
  load.takeLongestPauseMs();
  const sentAgainBefore = clients.sentAgain;
  const change = await runCourse(fleet.client, DATABASE, number, course);
  const ownPauseMs = load.takeLongestPauseMs();
  const round = await load.nextRound();
  const found = await checkRound(round);
  if (number % BALLAST_EVERY === 0) {
    const ballast = await checkBallast(clients.reader, KEYS);
    if (!isClean(ballast)) progress(`ballast: ${JSON.stringify(ballast)}`);
  }
  const { timeOrigin } = performance;
  const failed = failedIn(round, timeOrigin).slice(0, FAILED_SHOWN);
  const sentAgain = clients.sentAgain - sentAgainBefore;
  return { change, ownPauseMs, sentAgain, ...measuredIn(change, round, timeOrigin), found, failed };
}

async function checkRound(round: Round): Promise<Repetition['found']> {
  await spoil(clients.reader, round, SPOIL);
  return await check.round(round);
}

/** What is known of one that went wrong. */
function showReason({ change: { events, status }, failed }: Repetition): void {
  progress(`  conditions at its end: ${JSON.stringify(status.conditions)}`);
  for (const line of failed) progress(`  ${line}`);
  for (const { at, kind, message } of events.slice(-EVENTS_SHOWN)) progress(`  ${at} ${kind}: ${message}`);
}
