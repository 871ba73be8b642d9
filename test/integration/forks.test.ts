/** Snapshots and logs of the nodes of one machine: saved and written anew by their agent's word, one after the other. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { DEFAULT_SPEC, type Persistence } from '../../src/domain/spec.ts';
import { settingDirectives } from '../../src/plan/settings.ts';
import type { NodeConfig } from '../../src/protocol/agent-messages.ts';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import { numberField, parseInfo, textField } from '../../src/valkey/info.ts';
import { type AgentScene, agentScene, eventually, killAndWait } from '../support/agent-scene.ts';
import type { FakeSession } from '../support/fake-control.ts';

const MIB = 1024 ** 2;
const PLENTY = 1024 ** 4;
/** A write is an hour old at once. */
const AHEAD_MS = 3_601_000;
const MOST_MS = 30_000;
/** Each child takes so long: longer than from one look of the agent to the next. */
const KEYS = 33;
const KEY_SAVE_MICROSECONDS = 40_000;

function configOf(scene: AgentScene, index: number, persistence: Persistence): NodeConfig {
  const base = scene.nodeConfig(index);
  const own = base.directives.filter(([name]) => name !== 'appendonly' && name !== 'save');
  return {
    ...base,
    directives: [...settingDirectives({ ...DEFAULT_SPEC, memoryBytes: 512 * MIB, persistence }), ...own],
  };
}

/** A node with all slots, slow to save. */
async function begin(
  scene: AgentScene,
  session: FakeSession,
  config: NodeConfig,
): Promise<{ pid: number; node: NodeConnection }> {
  const { pid } = await session.request('create_node', config);
  const node = scene.connect(config.port);
  await node.command('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await node.command('CONFIG', 'SET', 'rdb-key-save-delay', String(KEY_SAVE_MICROSECONDS));
  await eventually('the node takes writes', () => isServing(node));
  return { pid, node };
}

const isServing = async (node: NodeConnection): Promise<boolean> =>
  String(await node.command('CLUSTER', 'INFO')).includes('cluster_state:ok');

async function fill(node: NodeConnection, valueBytes: number): Promise<void> {
  for (let n = 0; n < KEYS; n += 1) await node.command('SET', `key:${n}`, randomBytes(valueBytes));
}

async function savesOf(node: NodeConnection) {
  const info = parseInfo(String(await node.command('INFO', 'persistence')));
  const of = (name: string): number => numberField(info, name);
  return {
    forks: of('rdb_bgsave_in_progress') === 1 || of('aof_rewrite_in_progress') === 1,
    ended: of('rdb_saves') + of('aof_rewrites'),
    isWell: textField(info, 'rdb_last_bgsave_status') === 'ok',
  };
}

describe('forks', { concurrency: true }, () => {
  it('lets nodes of a machine save and write their logs anew one at a time, and waits for other copies', async (t) => {
    const scene = await agentScene(t);
    const memoryFile = join(scene.dir, 'memory');
    writeFileSync(memoryFile, String(PLENTY));
    const { session } = await scene.agent({ forks: { memoryFile, aheadMs: AHEAD_MS } });
    const kinds = ['none', 'snapshot', 'snapshot', 'aof'] as const;
    const begun = await Promise.all(kinds.map((kind, index) => begin(scene, session, configOf(scene, index, kind))));
    const [other, ...own] = begun.map(({ node }) => node) as [NodeConnection, ...NodeConnection[]];
    await fill(other, 10);
    await other.command('BGSAVE'); // as for a replica, or a backup
    await Promise.all(own.map((node, index) => fill(node, kinds[index + 1] === 'aof' ? 2 * MIB : 10)));
    assert.ok((await savesOf(other)).forks, 'all are due while the other one is at it');

    const deadline = performance.now() + MOST_MS;
    const startedAt = performance.now();
    let most = 0;
    for (;;) {
      const seen = await Promise.all([other, ...own].map(savesOf));
      most = Math.max(most, seen.filter(({ forks }) => forks).length);
      if (seen.every(({ forks, ended }) => ended > 0 && !forks)) break;
      assert.ok(performance.now() < deadline, `not all had their turn: ${JSON.stringify(seen)}`);
      await pause(10);
    }
    t.diagnostic(`${kinds.length} children in ${Math.round(performance.now() - startedAt)} ms`);
    assert.equal(most, 1, 'several at once');
    await pause(2_500);
    for (const node of own) assert.equal((await savesOf(node)).ended, 1, 'once is enough');
  });

  it('waits for memory and says so, tries again what failed, and saves as a node ends', async (t) => {
    const scene = await agentScene(t);
    const memoryFile = join(scene.dir, 'memory');
    writeFileSync(memoryFile, '0');
    const forks = { memoryFile, aheadMs: AHEAD_MS };
    const first = await scene.agent({ forks });
    const config = configOf(scene, 0, 'snapshot');
    const { id } = config;
    const { pid, node } = await begin(scene, first.session, config);
    await node.command('SET', 'key', '1');
    const isTold = (session: FakeSession) =>
      session.until('it waits for memory', (nodes) => nodes.get(id)?.postponed?.reason === 'memory');
    await isTold(first.session);
    const { postponed } = first.session.nodes.get(id)!;
    assert.deepEqual([postponed?.kind, postponed?.availableBytes], ['snapshot', 0]);
    assert.ok(postponed!.neededBytes > 100_000, JSON.stringify(postponed));
    const room = await first.session.request('fork_room', { id });
    assert.ok(room && room.neededBytes > 100_000 && room.availableBytes === 0, 'the same for slots on their way');

    await killAndWait(first.child.process.pid!);
    const { session } = await scene.agent({ forks });
    await isTold(session);
    assert.equal((await savesOf(node)).ended, 0);
    writeFileSync(memoryFile, String(PLENTY));
    await session.until('it waits no longer', (nodes) => nodes.get(id)?.postponed === undefined);
    await eventually('its snapshot', async () => (await savesOf(node)).ended === 1 && !(await savesOf(node)).forks);

    const snapshot = join(scene.nodeDir(id), 'dump.rdb');
    rmSync(snapshot);
    mkdirSync(snapshot); // no file can take its place
    await node.command('SET', 'key', '2');
    await eventually('a snapshot fails', async () => !(await savesOf(node)).isWell);
    await assert.rejects(node.command('SET', 'key', '3'), /MISCONF/);
    rmdirSync(snapshot);
    await eventually('it is tried again', async () => (await savesOf(node)).isWell);
    await node.command('SET', 'key', '4');

    await session.request('stop_node', { id, pid, graceMs: 5_000 });
    await session.request('start_node', { id, as: { kind: 'itself' } });
    const again = scene.connect(config.port);
    await eventually('it serves again', () => isServing(again));
    assert.equal(String(await again.command('GET', 'key')), '4');
  });
});
