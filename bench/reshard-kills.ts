/**
 * What becomes of a reshard when one of its parties is killed (kill -9), under a steady load: control plane, agents,
 * endpoint, source and target in turn, at every state of a job and before or after each step that is stored. It has to
 * go on by itself, to one owner for each slot, with no shard left without slots, and with nothing lost that was promised.
 * What is promised is told in docs/resharding.md.
 *
 *   npm run bench:reshard-kills -- [--times N] [--minutes N] [--seed N] [--durability async|acknowledged]
 *     [--victims LIST] [--states LIST] [--per-second N] [--keys N] [--keep FOLDER] [--json]
 *
 * `--states` are words such as `export:snapshotting`, `import:waiting-for-ack` or `step:accepted`, or their beginnings.
 * `--keep` keeps the logs of repetitions in which something broke or was lost.
 */
import { parseArgs } from 'node:util';
import { Random } from '../test/sim/random.ts';
import { fillBallast } from './reshards/ballast.ts';
import { Check } from './reshards/check.ts';
import { Clients, WAYS } from './reshards/clients.ts';
import { isClean } from './reshards/judge.ts';
import { KeptLogs } from './reshards/kills/kept-logs.ts';
import { MOMENTS, Turns, VICTIMS } from './reshards/kills/pairs.ts';
import { Scene } from './reshards/kills/scene.ts';
import { killTables, killWords } from './reshards/kills/table.ts';
import { brokenIn, type Durability, type Kill } from './reshards/kills/verdict.ts';
import { Load } from './reshards/load.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';

const { values: options } = parseArgs({
  options: {
    times: { type: 'string', default: `${VICTIMS.length * MOMENTS.length}` },
    minutes: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    durability: { type: 'string', default: 'acknowledged' },
    victims: { type: 'string', default: '' },
    states: { type: 'string', default: '' },
    keep: { type: 'string' },
    'per-second': { type: 'string', default: '1000' },
    keys: { type: 'string', default: '20000' },
    json: { type: 'boolean', default: false },
  },
});

const TIMES = Number(options.times);
const KEYS = Number(options.keys);
const DURABILITY = options.durability as Durability;
const ADDRESS_BASE = '127.0.75.11';
/** One that no other fleet tries while the server of this one is dead. */
const API_PORTS = { first: 20_000, count: 10_000 };
const DATABASE = 'main';
const MEMORY = '512mb';
/** Of a value of the ballast, so that snapshots take their time. */
const BYTES = 1_500;
/** After a kill a reshard is over, and all is whole, within this. */
const DEADLINE_MS = 60_000;
/** Of a reshard that went wrong. */
const EVENTS_SHOWN = 60;

const chosen = <T extends string>(all: readonly T[], list: string, isIt: (one: T, word: string) => boolean): T[] =>
  all.filter((one) => list === '' || list.split(',').some((word) => isIt(one, word)));

const started = performance.now();
await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);
progress('starting the fleet');
await fleet.up('--api-port', `${API_PORTS.first + (process.pid % API_PORTS.count)}`);
await fleet.run('db', 'update', DATABASE, '--memory', MEMORY, '--durability', DURABILITY);
const clients = new Clients(await fleet.untilReady(DATABASE), (await fleet.client.password(DATABASE)).password);
progress(`writing ${KEYS} keys`);
await fillBallast(clients.reader, KEYS, BYTES);

const random = new Random(Number(options.seed));
const turns = new Turns(
  chosen(VICTIMS, options.victims, (victim, word) => victim === word),
  chosen(MOMENTS, options.states, (moment, word) => moment.startsWith(word)),
);
const load = new Load(clients, Number(options['per-second']));
const check = new Check(clients.reader, load.counters);
const ballast = { keys: KEYS, bytes: BYTES };
const logs = new KeptLogs(fleet.dataDir, options.keep ?? null);
const parts = { fleet, database: DATABASE, durability: DURABILITY, clients, load, check, ballast, logs };
const scene = new Scene({ ...parts, deadlineMs: DEADLINE_MS });
const kills: Kill[] = [];
let failure: string | null = null;

for (let number = 1; number <= TIMES && failure === null; number += 1) {
  if (performance.now() - started > Number(options.minutes) * 60_000) break;
  logs.begin(number);
  try {
    const kill = await scene.kill(number, turns.next(await scene.shards, random), random);
    kills.push(kill);
    progress(`${number} of ${TIMES}: ${killWords(kill)}`);
    const isGood = brokenIn(kill).length === 0;
    logs.ended(isGood && WAYS.every((way) => isClean(kill.found[way])));
    if (!isGood) showReason(kill);
    if (kill.change.isStuck) failure = 'a reshard was stuck, and another would be refused';
  } catch (error) {
    logs.ended(false);
    failure = `reshard ${number}: ${error instanceof Error ? error.stack : String(error)}`;
  }
}
scene.close();
load.stop();
const found = await check.round(await load.nextRound());
clients.close();

const title = `${kills.length} reshards, ${DURABILITY}, seed ${options.seed}, ${KEYS} keys of ${BYTES} bytes`;
const measurements = { options, kills, last: found, faults: check.faults, readErrors: check.errors, failure };
printReport({ machine, tables: killTables(title, kills), measurements }, options.json);
for (const { key, slot, about } of check.faults) progress(`${key} (slot ${slot}): ${about}`);
const broken = kills.flatMap((kill) => brokenIn(kill).map((what) => `${kill.change.number}: ${what}`));
if (failure !== null) broken.push(`ended early: ${failure}`);
for (const complaint of broken) progress(`broken: ${complaint}`);
if (broken.length > 0) process.exitCode = 1;

/** What is known of one that went wrong. */
function showReason(kill: Kill): void {
  const { change, failed } = kill;
  for (const what of brokenIn(kill)) progress(`  BROKEN: ${what}`);
  progress(`  struck: ${JSON.stringify(kill.struck)}`);
  progress(`  conditions at its end: ${JSON.stringify(change.status.conditions)}`);
  for (const line of failed.slice(0, 10)) progress(`  ${line}`);
  for (const { at, kind, message } of change.events.slice(-EVENTS_SHOWN)) progress(`  ${at} ${kind}: ${message}`);
}
