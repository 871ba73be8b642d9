/**
 * What TLS costs a node: processor time of `valkey-server` for an operation and for a connection, and memory for a
 * connection, without TLS and with it in turn. What the figures mean is told in docs/benchmarks.md.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { testEngine } from '../test/support/engine.ts';
import { stopChildren } from './support/children.ts';
import { loadProgram } from './support/load-program.ts';
import { describeMachine } from './support/machine.ts';
import { printReport, progress } from './support/report.ts';
import { summarize } from './support/stats.ts';
import { connectionCost, idleBytes, operationCost, type Server, startServers } from './support/tls-servers.ts';

const { values: options } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    operations: { type: 'string', default: '200000' },
  },
});
const ROUNDS = Number(options.rounds);
const OPERATIONS = Number(options.operations);
const CONNECTS = 1_000;
const IDLE = 1_000;

const LOADS = [
  { title: 'GET, not pipelined', command: 'GET', pipeline: 1 },
  { title: 'SET, not pipelined', command: 'SET', pipeline: 1 },
  { title: 'GET, 16 deep', command: 'GET', pipeline: 16 },
  { title: 'SET, 16 deep', command: 'SET', pipeline: 16 },
] as const;

type Measured = Map<string, number[]>;

const scratch = mkdtempSync(join(tmpdir(), 'valkeeper-bench-'));
try {
  await main();
} finally {
  await stopChildren();
  rmSync(scratch, { recursive: true, force: true });
}

async function main(): Promise<void> {
  const engine = await testEngine();
  const program = await loadProgram(engine);
  const machine = describeMachine(engine.version);
  const servers = await startServers(engine.serverPath, scratch);
  const measured: Measured = new Map();
  const note = (what: string, { name }: Server, value: number): void => {
    const key = `${what} ${name}`;
    measured.set(key, [...(measured.get(key) ?? []), value]);
  };
  for (let round = 0; round <= ROUNDS; round += 1) {
    progress(round === 0 ? 'warming up' : `round ${round} of ${ROUNDS}`);
    // Who begins takes turns as well.
    for (const server of round % 2 === 0 ? servers : servers.toReversed()) {
      for (const { title, command, pipeline } of LOADS) {
        const operations = OPERATIONS * Math.min(pipeline, 4);
        const { cpuUs, perSecond } = await operationCost(program, server, command, pipeline, operations);
        if (round === 0) continue;
        note(`${title}: cpu`, server, cpuUs);
        note(`${title}: rate`, server, perSecond);
      }
      if (round === 0) continue;
      note('connection', server, await connectionCost(server, CONNECTS, false));
      if (server.isTls) note('resumed', server, await connectionCost(server, CONNECTS, true));
    }
  }
  for (const server of servers) note('idle', server, await idleBytes(server, IDLE));
  printReport(
    {
      machine,
      tables: [operationTable(measured), connectionTable(measured)],
      measurements: Object.fromEntries(measured),
    },
    options.json,
  );
}

function medianOf(measured: Measured, what: string, name: Server['name']): number {
  return summarize(measured.get(`${what} ${name}`)!).median;
}

function spreadOf(measured: Measured, what: string, name: Server['name'], digits: number): string {
  const { median, min, max } = summarize(measured.get(`${what} ${name}`)!);
  return `${median.toFixed(digits)} (${min.toFixed(digits)} to ${max.toFixed(digits)})`;
}

function operationTable(measured: Measured) {
  const row = (title: string): string[] => {
    const [plain, tls] = (['plain', 'tls'] as const).map((name) => medianOf(measured, `${title}: cpu`, name));
    const rates = (['plain', 'tls'] as const).map((name) =>
      Math.round(medianOf(measured, `${title}: rate`, name)).toLocaleString('en'),
    );
    const spreads = (['plain', 'tls'] as const).map((name) => spreadOf(measured, `${title}: cpu`, name, 1));
    return [title, ...spreads, `${(tls! - plain!).toFixed(1)}`, `${(tls! / plain!).toFixed(2)} x`, rates.join(' / ')];
  };
  return {
    title: `Processor time of the server for an operation, in microseconds: median of ${ROUNDS} rounds (smallest to largest)`,
    head: ['values of 64 bytes, 50 connections', 'plain', 'TLS', 'more', 'ratio', 'operations a second, plain / TLS'],
    rows: LOADS.map(({ title }) => row(title)),
  };
}

function connectionTable(measured: Measured) {
  const memory = (name: Server['name']): string => `${(medianOf(measured, 'idle', name) / 1024).toFixed(1)} KB`;
  const cost = (what: string, name: Server['name']): string => `${spreadOf(measured, what, name, 0)} us`;
  return {
    title: `A connection, to the server: opened, PING, closed (${CONNECTS} of them a round); idle (${IDLE} at once)`,
    head: ['', 'plain', 'TLS', 'TLS, session taken up again'],
    rows: [
      ['processor time', cost('connection', 'plain'), cost('connection', 'tls'), cost('resumed', 'tls')],
      ['memory (PSS)', memory('plain'), memory('tls'), ''],
    ],
  };
}
