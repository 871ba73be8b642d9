/**
 * How fast a database is there: the forming of 3 + 3 nodes beside `valkey-cli --cluster create`, the wall time of
 * `db create`, a warm start, and `--help`. What the figures mean is told in docs/benchmarks.md.
 */
import { formByCli, templatesOf } from './support/cli-cluster.ts';
import { Fleet } from './support/fleet.ts';
import { accepts, type Formation, watchFormation } from './support/formation.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { ms, type Summary, spread, summarize } from './support/stats.ts';

const FORMATIONS = 9;
const CREATIONS = 9;
const WARM_STARTS = 5;
const HELPS = 15;
const ADDRESS_BASE = '127.0.61.11';
const NAME = 'bench';
const SPEC = { shards: 3, replicas: 1, memoryBytes: 256 * 1024 ** 2 };
const CREATE = ['db', 'create', NAME, '--shards', '3', '--replicas', '1', '--memory', '256mb'];

/** What the project promises, in milliseconds. */
const DEMANDS = { formation: 1_000, create: 2_500, warmStart: 5_000, help: 150 };

await using fleet = new Fleet(ADDRESS_BASE);
const engine = await fleet.engine();
const machine = describeMachine(engine.version);

progress('starting the fleet');
await fleet.up();
const templates = templatesOf(fleet, await fleet.untilReady('main'));

const ours: Formation[] = [];
const theirs: Awaited<ReturnType<typeof formByCli>>[] = [];
for (let run = 1; run <= FORMATIONS; run += 1) {
  ours.push(await formByValkeeper());
  theirs.push(await formByCli(engine, fleet.scratch, templates));
  const [a, b] = [ours.at(-1)!, theirs.at(-1)!];
  progress(`formation ${run} of ${FORMATIONS}: Valkeeper ${ms(a.complete)}, valkey-cli ${ms(b.complete)}`);
}

const creations = await repeat('db create', CREATIONS, async () => {
  const { durationMs } = await fleet.run(...CREATE);
  await fleet.run('db', 'delete', NAME, '--yes');
  return durationMs;
});

const warmStarts = await repeat('up', WARM_STARTS, async () => {
  await fleet.down();
  const { durationMs } = await fleet.up();
  const { state } = await fleet.client.database('main');
  if (state !== 'ready') throw new Error(`up returned while main was ${state}`);
  return durationMs;
});

const helps = await repeat('--help', HELPS, async () => (await fleet.run('--help')).durationMs);

const column = <T extends Formation, K extends keyof T>(runs: readonly T[], name: K): Summary =>
  summarize(runs.map((run) => run[name] as number));

const compared = (words: string, name: keyof Formation): string[] => {
  const [a, b] = [column(ours, name), column(theirs, name)];
  return [words, spread(a), spread(b), `${(b.median / a.median).toFixed(1)} x`];
};

const held = (words: string, values: readonly number[], demandMs: number): string[] => {
  const summary = summarize(values);
  const holds = summary.max <= demandMs ? 'yes' : summary.median <= demandMs ? 'median only' : 'no';
  return [words, `${summary.count}`, spread(summary), `<= ${ms(demandMs)}`, holds];
};

printReport({
  machine,
  tables: [
    {
      title: `3 + 3 processes that accept connections become one database (${FORMATIONS} runs each, interleaved)`,
      head: ['from the last process accepting connections to', 'Valkeeper', 'valkey-cli --cluster create', 'ratio'],
      rows: [
        compared('the first accepted write', 'firstWrite'),
        compared('an accepted write in every shard', 'allWrite'),
        compared('all slots served, as every node sees it', 'slotsServed'),
        compared('all replica links up', 'linksUp'),
        compared('`cluster_state:ok` on every node', 'stateOk'),
        compared('**all of these at once**', 'complete'),
        ['the end of the command itself', '', spread(column(theirs, 'commandEnded')), ''],
      ],
    },
    {
      title: 'What is promised',
      head: ['', 'runs', 'median (min to max)', 'demand', 'holds'],
      rows: [
        held(
          'processes accepting to slots served, links up, state ok',
          ours.map((run) => run.complete),
          DEMANDS.formation,
        ),
        held('`db create`, Enter to ready', creations, DEMANDS.create),
        held('`up` on a stopped directory, Enter to ready', warmStarts, DEMANDS.warmStart),
        held('`--help`', helps, DEMANDS.help),
      ],
    },
  ],
  measurements: { formations: { valkeeper: ours, valkeyCli: theirs }, creations, warmStarts, helps },
});

/** A new database of the running fleet, watched from the moment its processes accept connections, and deleted again. */
async function formByValkeeper(): Promise<Formation> {
  const { client } = fleet;
  const { shards } = await client.create({ name: NAME, spec: SPEC });
  const addresses = shards.flatMap(({ replicas }) => replicas.map(({ host, port }) => ({ host, port })));
  const accepting = Promise.all(addresses.map(accepts));
  const { user, password } = await client.password(NAME);
  const acceptedAt = Math.max(...(await accepting));
  const formation = await watchFormation(addresses, { username: user, password: password! }, acceptedAt);
  await fleet.untilReady(NAME);
  await client.delete(NAME);
  await fleet.untilGone(NAME);
  return formation;
}

async function repeat(what: string, runs: number, once: () => Promise<number>): Promise<number[]> {
  const durations: number[] = [];
  for (let run = 1; run <= runs; run += 1) {
    durations.push(await once());
    progress(`${what} ${run} of ${runs}: ${ms(durations.at(-1)!)}`);
  }
  return durations;
}
