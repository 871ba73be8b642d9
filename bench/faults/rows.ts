/** The rows of the table: each a fault, what is demanded, how often it is done, and to what kind of database. */
import type { Random } from '../../test/sim/random.ts';
import { type Fault, killMachine, killPrimary, pullCable } from './acts.ts';
import { endEverything, loseMajority } from './disasters.ts';
import { isolate } from './isolate.ts';
import { killWhileMoving, slotsWhileMoving } from './moving.ts';
import { pausePrimary } from './pause.ts';
import type { Plan } from './repetition.ts';
import type { Demand } from './verdict.ts';

export interface Row {
  /** For `--rows`. */
  id: string;
  fault: string;
  times: number;
  demand: Demand;
  /** Made with `db create`. */
  database: { machines: number; shards: number; replicas: number; options: readonly string[] };
  /** What is left to chance is drawn from `random`. */
  act: (random: Random) => Fault;
  /** The machine is hit, so not the one whose endpoint clients use. */
  hitsMachine?: boolean;
  /** Servers are killed before the fault, and started again when writes are accepted, to repair. */
  withoutServers?: boolean;
  /** Done to the engine alone and to Sentinel as well. */
  compared?: boolean;
  /** Keys that are there beforehand and must stay. */
  ballast?: { keys: number; saved: boolean };
  more?: Pick<Plan, 'slotsOf' | 'untilMended'>;
}

const NOTHING_LOST = { lost: 0, strayErrors: 0 } as const;
const COUNTED = { lost: null, strayErrors: 0 } as const;
const ACKNOWLEDGED = ['--durability', 'acknowledged', '--acknowledgements', '1'];
/** What the engine flushes each second may lack the last two. */
const FLUSHED_MS = -2_000;
/** An asynchronous copy's primary that is cut off with a client may be written to for so long, and no longer. */
const ISOLATED_WRITES_MS = 3_000;

const of = (shards: number, replicas: number, ...options: string[]): Row['database'] => ({
  ...{ machines: 3, shards, replicas, options },
});

const kills: Row[] = [
  {
    ...{ id: 'kill-3', fault: '`kill -9` of a primary, 3 shards, 1 replica', times: 300, compared: true },
    ...{ demand: { waitMs: { 50: 50, 99: 250 }, ...COUNTED }, database: of(3, 1), act: () => killPrimary },
  },
  {
    ...{ id: 'kill-1', fault: 'the same, 1 shard', times: 100 },
    ...{ demand: { waitMs: { 50: 50, 99: 250 }, ...COUNTED }, database: of(1, 1), act: () => killPrimary },
  },
  {
    ...{ id: 'kill-2', fault: 'the same, 2 shards', times: 100 },
    ...{ demand: { waitMs: { 50: 50, 99: 250 }, ...COUNTED }, database: of(2, 1), act: () => killPrimary },
  },
  {
    ...{ id: 'kill-acknowledged-2', fault: 'the same, 3 shards, acknowledged by 1 of 2 replicas', times: 300 },
    ...{
      demand: { waitMs: { 99: 300 }, ...NOTHING_LOST },
      database: of(3, 2, ...ACKNOWLEDGED),
      act: () => killPrimary,
    },
  },
  {
    ...{ id: 'kill-acknowledged-1', fault: 'the same, acknowledged by its only replica', times: 300 },
    ...{ demand: { waitMs: { 99: 1_500 }, ...NOTHING_LOST }, database: of(3, 1, ...ACKNOWLEDGED) },
    ...{ act: () => killPrimary },
  },
];

const machines: Row[] = [
  {
    ...{ id: 'machine-killed', fault: 'a machine of 3 lost: all its processes end', times: 20, compared: true },
    ...{
      demand: { waitMs: { 100: 2_500 }, ...COUNTED },
      database: of(3, 1),
      act: () => killMachine,
      hitsMachine: true,
    },
  },
  {
    ...{ id: 'machine-cable', fault: 'a machine of 3 lost: its cable is pulled', times: 20, compared: true },
    ...{ demand: { waitMs: { 100: 2_500 }, ...COUNTED }, database: of(3, 1), act: () => pullCable, hitsMachine: true },
  },
];

const pause = (seconds: number, failoverWithinMs: number | null): Row => ({
  ...{ id: `pause-${seconds}`, fault: `a primary stopped for ${seconds} s (SIGSTOP)`, times: 10, compared: true },
  demand: {
    waitMs: {},
    ...NOTHING_LOST,
    besides: failoverWithinMs === null ? 'no failover' : 'another within 3 s; the stopped process has ended before',
  },
  database: of(3, 1),
  act: () => pausePrimary({ pauseMs: seconds * 1_000, failoverWithinMs, endsFirst: failoverWithinMs !== null }),
});

const isolated: Row[] = [
  {
    ...{ id: 'isolated-async', fault: 'a primary cut off with a client for 30 s', times: 10, compared: true },
    demand: { waitMs: {}, ...COUNTED, besides: 'the client with it loses at most 3 s of writes' },
    ...{ database: of(3, 1), act: () => isolate(ISOLATED_WRITES_MS), hitsMachine: true },
  },
  {
    ...{ id: 'isolated-acknowledged', fault: 'the same, acknowledged by 1 of 2 replicas', times: 10 },
    demand: { waitMs: {}, ...NOTHING_LOST, besides: 'the client with it loses nothing' },
    ...{ database: of(3, 2, ...ACKNOWLEDGED), act: () => isolate(Number.NEGATIVE_INFINITY), hitsMachine: true },
  },
];

const others: Row[] = [
  {
    ...{ id: 'moving', fault: '`kill -9` of a primary while half its slots move', times: 50 },
    demand: { waitMs: { 99: 1_000 }, ...COUNTED, besides: 'one owner a slot, no primary without slots' },
    ...{ database: of(3, 1), act: killWhileMoving, ballast: { keys: 150_000, saved: false } },
    more: { slotsOf: slotsWhileMoving },
  },
  {
    ...{ id: 'kill-none', fault: '`kill -9` of a primary without persistence', times: 50 },
    demand: { waitMs: { 50: 50, 99: 250 }, ...COUNTED, besides: 'never emptied' },
    ...{ database: of(3, 1, '--persistence', 'none'), act: () => killPrimary, ballast: { keys: 3_000, saved: false } },
  },
  {
    ...{ id: 'majority', fault: 'of 5 machines the 2 with most primaries are cut off', times: 10, hitsMachine: true },
    demand: {
      waitMs: { 100: 15_000 },
      ...COUNTED,
      besides: 'those cut off take no writes when others have taken over',
    },
    ...{ database: { ...of(3, 1), machines: 5 }, act: () => loseMajority },
  },
];

const everything = (persistence: string, demand: Partial<Demand>, ballast: Partial<Row>): Row => ({
  ...{ id: `everything-${persistence}`, fault: `all processes everywhere end at once, persistence ${persistence}` },
  ...{ times: 20, demand: { waitMs: {}, lost: null, strayErrors: null, besides: 'back by itself', ...demand } },
  ...{ database: of(3, 1, '--persistence', persistence), act: endEverything, more: { untilMended: true }, ...ballast },
});

const KEPT = 'back by itself, with what was saved';
const BALLAST = { ballast: { keys: 3_000, saved: false } };

const disasters: Row[] = [
  everything('none', {}, {}),
  everything('snapshot', { besides: KEPT }, { ballast: { keys: 3_000, saved: true } }),
  everything('aof', { besides: KEPT, lostFromMs: FLUSHED_MS }, BALLAST),
  everything('aof-always', { besides: KEPT, lost: 0 }, BALLAST),
];

/** The same while no server runs. */
const alone = (row: Row): Row => ({
  ...row,
  ...{ id: `${row.id}-alone`, fault: `${row.fault}; no server runs`, withoutServers: true, compared: false },
});

/** All rows, in the order of the table. */
export const ROWS: readonly Row[] = [
  ...kills,
  ...machines,
  ...isolated,
  pause(1, null),
  pause(5, 3_000),
  pause(30, 3_000),
  ...others,
  ...[...kills, ...machines].map(alone),
  ...disasters,
];
