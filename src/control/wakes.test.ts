import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import { type EndpointView, WHOLE_FILES } from '../domain/view.ts';
import type { Logger } from '../platform/log.ts';
import { AGENT_PROTOCOL, type Hello, type NodeReport } from '../protocol/agent-messages.ts';
import { openEventLog } from '../store/events.ts';
import { openMemoryStore } from '../store/memory.ts';
import { Agents } from './agents.ts';
import { createControlPlane } from './create-control-plane.ts';

const LOG: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => LOG };
const PORTS = [6401, 6402];
/** For looks that must come, and for those that must not. */
const PATIENCE_MS = 20_000;
const SETTLE_MS = 200;

/** Two databases of one node, one on each of two machines; nothing runs, and the time of the loops stands still. */
async function scene() {
  const [first, second] = fleet(2).map((machine, index) => ({ ...machine, address: `127.0.67.${index + 1}` }));
  const store = openMemoryStore();
  for (const [index, machine] of [first!, second!].entries()) {
    const database = databaseOn([machine], { shards: 1, replicas: 0, port: PORTS[index]! });
    const value = { ...database, name: `db-${index + 1}`, uid: `uid-${index + 1}`, observedGeneration: 1 };
    await store.commit([{ put: `databases/${value.name}`, value }]);
  }
  const clock = new ManualClock();
  const agents = new Agents(clock);
  const control = await createControlPlane({
    ...{ store, agents, clock, log: LOG, events: await openEventLog(store), credentials: null },
    ...{ version: '0', dataDir: '', engineVersion: '9.1.0', readOwnLog: async () => '' },
  });
  let seen = 0;
  /** Exactly so many looks follow from what happens. */
  const looks = async (expected: number, what: string, happens: () => void): Promise<void> => {
    happens();
    const deadline = performance.now() + PATIENCE_MS;
    const count = (): number => control.status().looks.count - seen;
    while (count() < expected && performance.now() < deadline) await sleep(5);
    await sleep(SETTLE_MS);
    assert.equal(count(), expected, what);
    seen += expected;
  };
  return { agents, control, looks };
}

const helloOf = (machine: string, endpoint: EndpointView | null = null): Hello => ({
  ...{ type: 'hello', protocol: AGENT_PROTOCOL, machine, address: '127.0.67.9', zone: 'local', memoryBytes: 2 ** 33 },
  ...{ pid: 1, engineVersion: '9.1.0', tls: false, instance: 'i', certificate: null, nodes: [], endpoint },
  neighbourPort: null,
});

test('what agents tell wakes the loops of the databases that it concerns, and no others', async (t) => {
  const { agents, control, looks } = await scene();
  t.after(() => control.close());
  await looks(2, 'the first ones, at the start', () => {});
  const socket = { send: () => {}, close: () => {} };
  const join = (machine: string, endpoint?: EndpointView) => agents.welcome(socket, helloOf(machine, endpoint));

  let session = join('machine-3');
  await looks(0, 'a machine without nodes', () => {});
  await looks(0, 'it goes', () => agents.left(session));
  await looks(1, 'a machine with a node of one database', () => (session = join('machine-2')));
  await looks(1, 'it goes', () => agents.left(session));
  const idle: EndpointView = { pid: 1, metricsPort: null, problem: null, databases: [] };
  await looks(1, 'it comes back, with an endpoint', () => join('machine-2', idle));

  const serving = { ...idle, databases: [{ uid: 'uid-1', port: PORTS[0]!, problem: null }] };
  const tell = (endpoint: EndpointView) => () => agents.heard('machine-2', { type: 'endpoint', endpoint });
  await looks(1, 'an endpoint serves one more', tell(serving));
  await looks(0, 'nothing about a database', tell({ ...serving, metricsPort: 9121 }));
  await looks(2, 'it serves none', tell({ ...serving, problem: 'it has ended' }));

  const node: NodeReport = {
    ...{
      id: 'f'.repeat(40),
      database: 'db-1',
      databaseUid: 'uid-1',
      port: 7000,
      process: { state: 'running', pid: 1 },
    },
    pulse: { state: 'well', since: 0 },
    disk: { hasData: true, dataAt: 1, claim: null, ...WHOLE_FILES, settings: null, aclMark: null },
  };
  const report = () => agents.heard('machine-2', { type: 'node', node: { ...node } });
  await looks(1, 'a node that was not known', report);
  await looks(0, 'the same again', report);
});
