/**
 * What a quiet fleet costs: `up` with the database `main` (3 + 3 nodes), nobody connected. Memory as PSS, processor time
 * over a minute. What the figures mean is told in docs/benchmarks.md.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DatabaseStatus } from '../src/domain/status.ts';
import { runningServer } from '../src/main/data-dir.ts';
import { recordedAgent } from '../src/main/local-fleet.ts';
import { Fleet } from './support/fleet.ts';
import { describeMachine } from './support/machine.ts';
import { cpuMs, pssAloneBytes, pssBytes } from './support/process-cost.ts';
import { printReport, progress } from './support/report.ts';

const QUIET_MS = 30_000;
const MEASURED_MS = 60_000;
const ADDRESS_BASE = '127.0.62.11';

/** What the project aims at for its own processes together. */
const AIMS = { pssMb: 150, cpuPercent: 1 };

interface Cost {
  name: string;
  pid: number;
  pssMb: number;
  cpuPercent: number;
}

await using fleet = new Fleet(ADDRESS_BASE);
const machine = describeMachine((await fleet.engine()).version);

// The first start may still compile; only the second runs on compiled code, as every later one does.
progress('starting, stopping, starting again');
await fleet.up();
await fleet.down();
await fleet.up();
const main = await fleet.untilReady('main');
progress(`${QUIET_MS / 1000} s of quiet, then ${MEASURED_MS / 1000} s are measured`);
await sleep(QUIET_MS);

const ours = ourProcesses(main);
const engines = engineProcesses(main);
const before = new Map([...ours, ...engines].map(({ pid }) => [pid, cpuMs(pid)]));
const startedAt = performance.now();
await sleep(MEASURED_MS);
const elapsedMs = performance.now() - startedAt;
const cost = ({ name, pid }: { name: string; pid: number }): Cost => ({
  name,
  pid,
  pssMb: pssBytes(pid) / 1024 ** 2,
  cpuPercent: ((cpuMs(pid) - before.get(pid)!) / elapsedMs) * 100,
});
const ourCosts = ours.map(cost);
const engineCosts = engines.map(cost);
const aloneMb = pssAloneBytes(ours.map(({ pid }) => pid)) / 1024 ** 2;

const sum = (costs: readonly Cost[], name: 'pssMb' | 'cpuPercent'): number =>
  costs.reduce((total, one) => total + one[name], 0);
const row = (name: string, pssMb: number, cpuPercent: number | null): string[] => [
  name,
  `${pssMb.toFixed(1)} MB`,
  cpuPercent === null ? '' : `${cpuPercent.toFixed(2)} %`,
];
const ourCpuPercent = sum(ourCosts, 'cpuPercent');

printReport({
  machine,
  tables: [
    {
      title: `A quiet fleet with one database of 3 + 3 nodes, over ${MEASURED_MS / 1000} s`,
      head: ['', 'memory (PSS)', 'of one core'],
      rows: [
        ...ourCosts.map(({ name, pssMb, cpuPercent }) => row(name, pssMb, cpuPercent)),
        row('Valkeeper together', sum(ourCosts, 'pssMb'), ourCpuPercent),
        row('**Valkeeper together, if no other program here ran on Node**', aloneMb, null),
        row('aim', AIMS.pssMb, AIMS.cpuPercent),
        ['holds', aloneMb <= AIMS.pssMb ? 'yes' : 'no', ourCpuPercent < AIMS.cpuPercent ? 'yes' : 'no'],
        row(`${engineCosts.length} valkey-server together`, sum(engineCosts, 'pssMb'), sum(engineCosts, 'cpuPercent')),
      ],
    },
  ],
  measurements: { elapsedMs, valkeeper: ourCosts, aloneMb, engines: engineCosts },
});

function ourProcesses({ shards }: DatabaseStatus): { name: string; pid: number }[] {
  const nodes = shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]);
  const machines = [...new Set(nodes.map((node) => node.machine))].sort();
  return [
    { name: 'control plane', pid: runningServer(fleet.dataDir)!.pid },
    ...machines.map((name) => ({ name: `agent of ${name}`, pid: recordedAgent(fleet.dataDir, name)!.pid })),
  ];
}

function engineProcesses({ shards }: DatabaseStatus): { name: string; pid: number }[] {
  const nodes = shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]);
  return nodes.map(({ nodeId, pid }) => ({ name: nodeId, pid: pid! }));
}
