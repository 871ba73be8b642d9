/**
 * What one control plane costs with many agents: the server process alone, at work for 100 databases on 200 machines whose
 * agents report every second. Machines and nodes are simulated, what nodes answer is what real ones said. What the figures
 * mean is told in docs/benchmarks.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { Client } from '../src/cli/client.ts';
import { endpointOf, pathsIn, readToken, runningServer } from '../src/main/data-dir.ts';
import { prepareDataDir } from '../src/main/prepare.ts';
import { waitForExit } from '../src/main/processes.ts';
import { startServer } from '../src/main/server-process.ts';
import { openSqliteStore } from '../src/store/sqlite.ts';
import { freePort } from './support/children.ts';
import { describeMachine } from './support/machine.ts';
import { cpuMs, pssBytes } from './support/process-cost.ts';
import { printReport, progress } from './support/report.ts';
import { SimulatedAgent } from './support/simulated-agent.ts';
import { simulatedFleet } from './support/simulated-fleet.ts';
import { summarize } from './support/stats.ts';
import { StoredAnswers } from './support/stored-answers.ts';
import { templateDatabase } from './support/template-database.ts';

const MACHINES = 200;
const DATABASES = 100;
const REPETITIONS = 3;
const WINDOW_MS = 30_000;
const REPORT_MS = 1_000;
/** Longer than it takes an agent to tell of each of its nodes. */
const SETTLE_MS = 5_000;
const READY_MS = 120_000;
const POLL_MS = 1_000;
const EXIT_MS = 10_000;
const AIMS = { cpuPercent: 100, pssMb: 500 };

interface Window {
  cpuPercent: number;
  pssMb: number;
  reportsPerSecond: number;
  looksPerSecond: number;
  answersPerSecond: number;
}

const { values } = parseArgs({
  options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
});
const [windowMs, repetitions] = values.quick ? [5_000, 1] : [WINDOW_MS, REPETITIONS];

progress('one real database, for what its nodes answer');
const template = await templateDatabase();
const machine = describeMachine(template.engineVersion);
const fleet = simulatedFleet(template, MACHINES, DATABASES);
const nodes = fleet.machines.flatMap((one) => one.nodes);

const dataDir = mkdtempSync(join(tmpdir(), 'valkeeper-bench-'));
const answers = new StoredAnswers();
const unexpected = new Set<string>();
const timers: NodeJS.Timeout[] = [];
process.once('exit', cleanUp);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

await answers.listen(nodes);
prepareDataDir(dataDir);
await writeRecords();
progress(`a server, ${MACHINES} agents, ${DATABASES} databases of ${nodes.length / DATABASES} nodes`);
await startServer(dataDir, await freePort());
const server = runningServer(dataDir)!;
const client = new Client(endpointOf(dataDir));
const world = {
  ...{ url: server.url, token: readToken(pathsIn(dataDir).agentToken) },
  ...{ engineVersion: template.engineVersion, unexpected },
};
const agents = fleet.machines.map((one) => new SimulatedAgent(one, world));
await Promise.all(agents.map((agent) => agent.connect()));
let hasNews = false;
for (const [index, agent] of agents.entries()) {
  // Spread over the second, as agents that know nothing of each other are.
  timers.push(
    setTimeout(() => timers.push(setInterval(() => agent.report(hasNews), REPORT_MS)), (index * REPORT_MS) / MACHINES),
  );
}
await untilReady();

const quiet = await windows('all is quiet');
hasNews = true;
const changing = await windows('each report tells something new');
hasNews = false;
await sleep(SETTLE_MS); // that nothing is new any more is news once
let next = 0;
const failures: unknown[] = [];
timers.push(
  setInterval(() => {
    const agent = agents[next++ % agents.length]!;
    agent.drop();
    agent.connect().catch((error: unknown) => failures.push(error));
  }, REPORT_MS),
);
const restless = await windows('one agent comes anew each second');
clearInterval(timers.pop());
await untilReady();
if (failures.length > 0) throw new Error(`${failures.length} agents did not come back: ${String(failures[0])}`);

const medianOf = (all: readonly Window[], name: keyof Window): number => summarize(all.map((one) => one[name])).median;
const row = (title: string, all: readonly Window[]): string[] => [
  title,
  `${medianOf(all, 'cpuPercent').toFixed(1)} %`,
  `${medianOf(all, 'pssMb').toFixed(0)} MB`,
  medianOf(all, 'reportsPerSecond').toFixed(0),
  medianOf(all, 'looksPerSecond').toFixed(0),
  medianOf(all, 'answersPerSecond').toFixed(0),
];
const holds = (all: readonly Window[]): boolean =>
  medianOf(all, 'cpuPercent') < AIMS.cpuPercent && medianOf(all, 'pssMb') < AIMS.pssMb;

printReport(
  {
    machine,
    tables: [
      {
        title: `One control plane, ${MACHINES} agents that report each second, ${DATABASES} databases of 3 + 3 nodes: median of ${repetitions} times ${windowMs / 1000} s`,
        head: ['', 'of one core', 'memory (PSS)', 'reports a second', 'looks a second', 'answers of nodes a second'],
        rows: [
          row('all is quiet', quiet),
          row('each report tells something new', changing),
          row('one agent comes anew each second', restless),
          ['aim', `${AIMS.cpuPercent} %`, `${AIMS.pssMb} MB`, '', '', ''],
          ['holds', [quiet, changing, restless].every(holds) ? 'yes' : 'no', '', '', '', ''],
        ],
      },
    ],
    measurements: { quiet, changing, restless },
  },
  values.json,
);
process.kill(server.pid, 'SIGQUIT'); // in peace: with --cpu-prof it writes its profile
await waitForExit([server], EXIT_MS);
process.exit();

/** The store as it would be after the databases were asked for and reached. */
async function writeRecords(): Promise<void> {
  const store = openSqliteStore(pathsIn(dataDir).store);
  for (const database of fleet.databases) {
    await store.commit([{ put: `databases/${database.name}`, value: database, expect: 'absent' }]);
  }
  await store.close();
}

/** All is well with every database in the control plane's eyes. @throws Error naming what is not */
async function untilReady(): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    const { databases } = await client.databases();
    const unwell = databases.filter(({ state, conditions }) => state !== 'ready' || conditions.length > 0);
    const strange = [...unexpected, ...answers.unanswered];
    if (strange.length > 0) throw new Error(`the control plane sees something to be done: ${strange.join(', ')}`);
    if (databases.length === DATABASES && unwell.length === 0) return;
    if (performance.now() >= deadline) {
      const [first] = unwell;
      const why = JSON.stringify(first?.conditions.slice(0, 2));
      throw new Error(`${unwell.length} databases are not well; ${first?.name} is ${first?.state}: ${why}`);
    }
    await sleep(POLL_MS);
  }
}

async function windows(what: string): Promise<Window[]> {
  const all: Window[] = [];
  for (let index = 0; index < repetitions; index += 1) {
    progress(`${what}: ${windowMs / 1000} s`);
    all.push(await measure());
  }
  return all;
}

async function measure(): Promise<Window> {
  const { looks } = await client.status();
  const reported = (): number => agents.reduce((sum, { reports }) => sum + reports, 0);
  const before = { cpu: cpuMs(server.pid), given: answers.given, reports: reported() };
  const startedAt = performance.now();
  await sleep(windowMs);
  const elapsedMs = performance.now() - startedAt;
  const usedMs = cpuMs(server.pid) - before.cpu;
  const perSecond = (count: number): number => (count * 1_000) / elapsedMs;
  const answersPerSecond = perSecond(answers.given - before.given);
  const reportsPerSecond = perSecond(reported() - before.reports);
  const looksPerSecond = perSecond((await client.status()).looks.count - looks.count);
  if (looksPerSecond === 0) throw new Error('the control plane did not look at anything');
  return {
    cpuPercent: (usedMs / elapsedMs) * 100,
    pssMb: pssBytes(server.pid) / 1024 ** 2,
    ...{ reportsPerSecond, looksPerSecond, answersPerSecond },
  };
}

/** Nothing outlives the benchmark. */
function cleanUp(): void {
  const left = runningServer(dataDir);
  if (left) process.kill(left.pid, 'SIGKILL');
  rmSync(dataDir, { recursive: true, force: true });
}
