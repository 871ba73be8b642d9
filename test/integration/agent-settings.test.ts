/** The settings of a node's valkey.conf change only when a start by them would find the data; and what such a start loads. */
import assert from 'node:assert/strict';
import { existsSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Directive } from '../../src/plan/settings.ts';
import { agentScene, eventually } from '../support/agent-scene.ts';

const SNAPSHOTS: Directive[] = [
  ['appendonly', 'no'],
  ['save', '3600', '1'],
];
const NOTHING: Directive[] = [
  ['appendonly', 'no'],
  ['save', ''],
];
const LOG: Directive[] = [
  ['appendonly', 'yes'],
  ['save', ''],
];

/** A node that begins with these directives, holds one key, and can be killed and started. */
async function nodeWithKey(t: TestContext, first: Directive[]) {
  const scene = await agentScene(t);
  const { session } = await scene.agent();
  const fixed = scene.nodeConfig(0).directives.filter(([name]) => name !== 'appendonly' && name !== 'save');
  const config = scene.nodeConfig(0, { directives: [...first, ...fixed] });
  const { id } = config;
  const engine = scene.connect(config.port);
  let { pid } = await session.request('create_node', config);
  const usable = () =>
    eventually('an accepted write', async () => (await engine.command('SET', 'k', 'v').catch(() => '')) === 'OK');
  await engine.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
  await usable();
  return {
    engine,
    file: (name: string) => join(scene.nodeDir(id), name),
    configure: (directives: Directive[], of = pid) =>
      session.request('configure_node', { id, pid: of, directives: [...directives, ...fixed] }),
    disk: () => session.nodes.get(id)!.disk,
    /** Its keys after it was killed and started. */
    killedAndStarted: async (): Promise<number> => {
      process.kill(pid, 'SIGKILL');
      await session.until('the report of its exit', (nodes) => nodes.get(id)?.process.state === 'exited');
      ({ pid } = await session.request('start_node', { id, as: { kind: 'itself' } }));
      return Number(await engine.command('DBSIZE'));
    },
  };
}

test('a snapshot that was left behind is put aside where none is wanted, and does not come back', async (t) => {
  const node = await nodeWithKey(t, SNAPSHOTS);
  await node.engine.command('SAVE');
  assert.equal(await node.killedAndStarted(), 1, 'with snapshots wanted it is loaded');
  assert.deepEqual(await node.configure(NOTHING), { written: true });
  assert.equal(node.disk().hasData, false, 'nothing that a start would load');
  assert.ok(existsSync(node.file('dump.rdb')), 'a running process is left alone');
  assert.equal(await node.killedAndStarted(), 0);
  assert.ok(!existsSync(node.file('dump.rdb')));
  assert.ok(existsSync(node.file('dump.rdb.aside')), 'kept for a person to decide about');
});

test('a start relies on snapshots only when one is fresh', async (t) => {
  const node = await nodeWithKey(t, LOG);
  const refused = { written: false, reason: 'there is no fresh snapshot yet' };
  assert.deepEqual(await node.configure(SNAPSHOTS), refused);
  await node.engine.command('SAVE');
  const twoMinutesAgo = new Date(Date.now() - 120_000);
  utimesSync(node.file('dump.rdb'), twoMinutesAgo, twoMinutesAgo);
  assert.deepEqual(await node.configure(SNAPSHOTS), refused);
  await node.engine.command('SAVE');
  assert.deepEqual(await node.configure(SNAPSHOTS), { written: true });
  const { settings, dataAt } = node.disk();
  assert.equal(settings?.['save'], '3600 1');
  assert.ok(Date.now() - dataAt! < 60_000, 'told when it was made');
  assert.equal(await node.killedAndStarted(), 1);
});

test('a start relies on a log only when there is one, and only of the process that was looked at', async (t) => {
  const node = await nodeWithKey(t, NOTHING);
  assert.deepEqual(await node.configure(LOG), { written: false, reason: 'there is no append-only file yet' });
  await node.engine.command('CONFIG', 'SET', 'appendonly', 'yes');
  await eventually('a log', async () => existsSync(node.file('appendonlydir')));
  assert.deepEqual(await node.configure(LOG, 1), { written: false, reason: 'process 1 has ended' });
  assert.deepEqual(await node.configure(LOG), { written: true });
  assert.equal(node.disk().settings?.['appendonly'], 'yes');
});
