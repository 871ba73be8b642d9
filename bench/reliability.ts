/**
 * What clients see while machines come, go, fail and return: real machines in network namespaces, a server, agents that
 * join, a database, and plain clients on a host of their own that write through one endpoint. What the figures mean
 * is told in docs/reliability.md.
 *
 *   npm run bench:reliability -- [--json]
 *
 * Needs root, for the namespaces.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { DatabaseStatus } from '../src/domain/status.ts';
import type { PasswordDocument } from '../src/protocol/api.ts';
import { testEngine } from '../test/support/engine.ts';
import { JoinedFleet } from '../test/support/joined-fleet.ts';
import { cut, ensureFaultTools, mend } from '../test/support/net-faults.ts';
import type { Verified, WriteWindow } from '../test/support/net-writer.ts';
import { NetWriters } from '../test/support/net-writers.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { ms } from './support/stats.ts';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });

const MACHINES = 3;
/** More of them join under load. */
const JOINING = 5;
const DATABASE = 'main';
const WRITERS = 15;
const PAUSE_MS = 10;
const REPLACE_AFTER_SECONDS = 10;
/** A fault is watched for so long at least, and what follows it waited for so long at most. */
const WATCH_MS = 5_000;
const PATIENCE_MS = 120_000;
const CUT_CONTROL_MS = 20_000;

/** What one act showed. */
interface Act {
  title: string;
  window: WriteWindow;
  /** From its beginning until every shard has its copies in sync, none of them where they should not be; null: not asked. */
  replicatedMs: number | null;
  verified: Verified;
}

async function play(): Promise<void> {
  await ensureFaultTools();
  const machine = describeMachine((await testEngine()).version);
  progress('starting a server');
  // The server's host, the machines', and the clients'.
  const fleet = await JoinedFleet.start({ after } as never, 1 + MACHINES + JOINING + 1);
  const acts: Act[] = [];

  const joinedAt = performance.now();
  for (let index = 1; index <= MACHINES; index += 1) await fleet.join(index, nameOf(index));
  const joinMs = (performance.now() - joinedAt) / MACHINES;
  progress(`${MACHINES} machines joined, ${ms(joinMs)} each`);

  await fleet.ask(
    'db',
    'create',
    DATABASE,
    '--shards',
    '3',
    '--replicas',
    '1',
    '--memory',
    '96mb',
    '--replace-after',
    `${REPLACE_AFTER_SECONDS}`,
  );
  const created = await status(fleet);
  const endpoint = created.endpoints.find((one) => one.machine === nameOf(1))!;
  const { password } = await fleet.ask<PasswordDocument>('db', 'password', DATABASE);
  const writers = await NetWriters.start(fleet.client, {
    ...{ host: endpoint.host, port: endpoint.port, password, writers: WRITERS, pauseMs: PAUSE_MS },
  });
  after(() => writers.close());

  const act = async (title: string, work: () => Promise<number | null>): Promise<void> => {
    progress(title);
    await sleep(WATCH_MS);
    await writers.mark();
    const replicatedMs = await work();
    await sleep(WATCH_MS);
    const window = await writers.mark();
    acts.push({ title, window, replicatedMs, verified: await writers.verify() });
    const { lost } = acts.at(-1)!.verified;
    progress(`  longest wait ${ms(window.longestWaitMs)}, errors ${countOf(window)}, lost ${lost}`);
  };

  await act('nothing happens', async () => null);
  await act(`${JOINING} more machines join`, async () => {
    for (let more = 1; more <= JOINING; more += 1) await fleet.join(MACHINES + more, nameOf(MACHINES + more));
    return null;
  });
  const cabled = await victim(fleet);
  await act('a machine with a primary is lost: its cable is pulled', () =>
    timed(async () => {
      await cut(hostOf(fleet, cabled));
      await whole(fleet, [cabled]);
    }),
  );
  await act('it returns, after its copies have been made anew', () =>
    timed(async () => {
      await mend(hostOf(fleet, cabled));
      await connected(fleet, cabled);
      await whole(fleet, []);
      await emptied(fleet, cabled);
    }),
  );
  const dark = await victim(fleet);
  await act('a machine with a primary is lost: its power is cut', () =>
    timed(async () => {
      hostOf(fleet, dark).losePower();
      await whole(fleet, [dark]);
    }),
  );
  await act('it has power again', () =>
    timed(async () => {
      fleet.agent(indexOf(dark));
      await connected(fleet, dark);
      await whole(fleet, []);
      await emptied(fleet, dark);
    }),
  );
  const drained = await victim(fleet);
  await act('a machine with a primary is emptied', () =>
    timed(async () => {
      await fleet.ask('machine', 'drain', drained);
      await whole(fleet, [drained]);
    }),
  );
  await act(`the control plane is cut off from everything for ${CUT_CONTROL_MS / 1000} s`, async () => {
    await cut(fleet.hosts[0]!);
    await sleep(CUT_CONTROL_MS);
    await mend(fleet.hosts[0]!);
    await whole(fleet, [drained]);
    return null;
  });

  printReport(
    {
      machine,
      tables: [
        {
          title: `${WRITERS} plain clients, each one write at a time every ${PAUSE_MS} ms, tried again until acknowledged; 3 shards, 1 replica; copies are made anew after ${REPLACE_AFTER_SECONDS} s`,
          head: [
            'what happens',
            'acknowledged meanwhile',
            'lost of all so far',
            'errors',
            'longest wait of a write',
            'until all copies are in sync',
          ],
          rows: acts.map(({ title, window, replicatedMs, verified }) => [
            title,
            window.acknowledged.toLocaleString('en'),
            `${verified.lost} of ${verified.checked.toLocaleString('en')}`,
            `${countOf(window)}`,
            ms(window.longestWaitMs),
            replicatedMs === null ? '' : ms(replicatedMs),
          ]),
        },
      ],
      measurements: { joinMs, acts },
    },
    options.json,
  );
}

function nameOf(index: number): string {
  return `m${index}`;
}
function indexOf(name: string): number {
  return Number(name.slice(1));
}
const hostOf = (fleet: JoinedFleet, name: string) => fleet.hosts[indexOf(name)]!;
const status = (fleet: JoinedFleet): Promise<DatabaseStatus> => fleet.ask<DatabaseStatus>('db', 'show', DATABASE);
const countOf = ({ errors }: WriteWindow): number => Object.values(errors).reduce((sum, count) => sum + count, 0);

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}

/** A machine with a primary that is not the one whose endpoint is used. */
async function victim(fleet: JoinedFleet): Promise<string> {
  const { shards } = await status(fleet);
  const found = shards.map(({ primary }) => primary?.machine).find((name) => name !== undefined && name !== nameOf(1));
  if (found === undefined) throw new Error('all primaries are on one machine');
  return found;
}

async function until(what: string, ask: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS / 1000} s: ${what}`);
    await sleep(100);
  }
}

/** Every shard has its copies in sync, and none of these machines has one. */
const whole = (fleet: JoinedFleet, without: readonly string[]): Promise<void> =>
  until('every shard has its copies', async () => {
    const { state, shards } = await status(fleet);
    const machines = shards.flatMap(({ primary, replicas }) => [primary, ...replicas].map((node) => node?.machine));
    return state === 'ready' && machines.length === 6 && without.every((name) => !machines.includes(name));
  });

const connected = (fleet: JoinedFleet, name: string): Promise<unknown> =>
  fleet.machine(name, (machine) => machine.connected);

/** What it had when it was lost is removed. */
const emptied = (fleet: JoinedFleet, name: string): Promise<void> =>
  until(`${name} has nothing of the old`, async () => {
    const { shards } = await status(fleet);
    const here = shards
      .flatMap(({ primary, replicas }) => [primary, ...replicas])
      .filter((one) => one?.machine === name);
    const { nodes } = await fleet.machine(name, () => true);
    return nodes === here.length;
  });

const cleanups: (() => unknown)[] = [];
const after = (clean: () => unknown): number => cleanups.push(clean);
try {
  await play();
} finally {
  for (const clean of cleanups.reverse()) await clean();
}
