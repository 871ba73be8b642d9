/** Files of a node that are cut, damaged, gone or another's, met by a real agent and real engines. */
import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import type { NodeReport } from '../../src/protocol/agent-messages.ts';
import type { NodeConnection } from '../../src/valkey/connection.ts';
import { type AgentScene, agentScene, eventually } from '../support/agent-scene.ts';
import { valkeeperError } from '../support/errors.ts';
import type { FakeSession } from '../support/fake-control.ts';

const ITSELF = { kind: 'itself' } as const;
const KEYS = 300;
const LOG = 'appendonlydir';

interface Holder {
  scene: AgentScene;
  session: FakeSession;
  id: string;
  node: NodeConnection;
  path: (name: string) => string;
}

/** A primary with all slots and some keys. */
async function holder(scene: AgentScene, persistence: 'aof' | 'snapshot'): Promise<Holder> {
  const { session } = await scene.agent();
  const plain = scene.nodeConfig(0).directives.filter(([name]) => name !== 'appendonly' && name !== 'save');
  const keeps: readonly (readonly [string, ...string[]])[] =
    persistence === 'aof'
      ? [
          ['appendonly', 'yes'],
          ['appendfsync', 'always'],
          ['save', ''],
        ]
      : [
          ['appendonly', 'no'],
          ['save', '3600', '1'],
        ];
  const config = scene.nodeConfig(0, { directives: [...plain, ...keeps] });
  await session.request('create_node', config);
  const node = scene.connect(config.port);
  await node.command('CLUSTER', 'ADDSLOTSRANGE', 0, 16383);
  await eventually('a write', async () => (await node.command('SET', 'first', '1').catch(() => '')) === 'OK');
  await node.pipeline(Array.from({ length: KEYS - 1 }, (_, n) => ['SET', `key:${n}`, `value ${n}`]));
  return { scene, session, id: config.id, node, path: (name) => join(scene.nodeDir(config.id), name) };
}

const reportOf = ({ session, id }: Holder): NodeReport => session.nodes.get(id)!;

/** Ended without a chance to write anything, and seen to have ended. */
async function killed(one: Holder, meanwhile: () => void = () => {}): Promise<void> {
  const { process: running } = reportOf(one);
  assert.equal(running.state, 'running');
  process.kill(running.pid, 'SIGSTOP');
  meanwhile();
  process.kill(running.pid, 'SIGKILL');
  await one.session.until('its end', (nodes) => nodes.get(one.id)?.process.state === 'exited');
}

/** It ends while it reads its data: before the start is answered, or just after. */
async function failsToStart(one: Holder, problem: RegExp): Promise<void> {
  const outcome = await start(one).catch((error: Error) => error);
  if (outcome instanceof Error) {
    assert.match(outcome.message, problem);
    assert.equal((outcome as { code?: string }).code, 'node_data_damaged');
  }
  await one.session.until('what is damaged', (nodes) => {
    const { process: seen, disk } = nodes.get(one.id)!;
    return seen.state === 'exited' && problem.test(disk.damage?.problem ?? '');
  });
}

const start = ({ session, id }: Holder) => session.request('start_node', { id, as: ITSELF });

async function keysOf({ node }: Holder): Promise<number> {
  let keys = -1;
  await eventually('an answer', async () => {
    keys = Number(await node.command('DBSIZE').catch(() => -1));
    return keys >= 0;
  });
  return keys;
}

const lastOf = (folder: string, type: 'base.rdb' | 'incr.aof'): string =>
  join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith(type))
      .sort()
      .at(-1)!,
  );

test('a nodes.conf that is cut, empty, gone or of another node is replaced by its copy; slots and data are there', async (t) => {
  const one = await holder(await agentScene(t), 'aof');
  const path = one.path('nodes.conf');
  const damages: Record<string, () => void> = {
    cut: () => truncateSync(path, 70),
    empty: () => truncateSync(path, 0),
    gone: () => rmSync(path),
    foreign: () => writeFileSync(path, one.scene.nodeConfig(1).nodesConf),
  };
  for (const [name, damage] of Object.entries(damages)) {
    // The copy follows by itself; a start makes one, too.
    await eventually(`a copy of the present file (${name})`, async () =>
      readFileSync(one.path('nodes.conf.copy'), 'utf8').endsWith(readFileSync(path, 'utf8')),
    );
    await killed(one, damage);
    const { disk } = reportOf(one);
    assert.deepEqual([disk.claim?.slots, disk.claimIsOld], [[[0, 16383]], true], name);
    await start(one);
    assert.equal(String(await one.node.command('CLUSTER', 'MYID')), one.id, name);
    assert.equal(await keysOf(one), KEYS, name);
    assert.equal(existsSync(one.path('nodes.conf.damaged')), name !== 'gone', name);
    assert.equal(reportOf(one).process.state, 'running');
    rmSync(one.path('nodes.conf.damaged'), { force: true });
  }
});

test('a copy that is damaged itself is not believed; as a replica the node keeps its id all the same', async (t) => {
  const one = await holder(await agentScene(t), 'aof');
  await killed(one, () => {
    rmSync(one.path('nodes.conf'));
    const copy = readFileSync(one.path('nodes.conf.copy'), 'utf8');
    writeFileSync(one.path('nodes.conf.copy'), copy.replace('myself,master', 'myself,slave '));
  });
  assert.equal(reportOf(one).disk.claim, null);
  await assert.rejects(start(one), valkeeperError('node_identity_lost', /nodes\.conf/));
  const primary = {
    id: 'e'.repeat(40),
    host: one.scene.address,
    port: 7999,
    slots: [[0, 16383]],
    configEpoch: 4,
  } as const;
  await one.session.request('start_node', { id: one.id, as: { kind: 'replica', primary } });
  assert.equal(String(await one.node.command('CLUSTER', 'MYID')), one.id);
});

test('a log with garbage in it, or without its end, is told and cut; what was cut off is kept', async (t) => {
  const one = await holder(await agentScene(t), 'aof');
  const damages: Record<string, (file: string) => void> = {
    'its end is missing': (file) => truncateSync(file, statSync(file).size - 5),
    'its format is broken': (file) => {
      const bytes = readFileSync(file);
      bytes.write('GARBAGE', bytes.indexOf('$', Math.floor(bytes.length / 2)));
      writeFileSync(file, bytes);
    },
  };
  for (const [problem, damage] of Object.entries(damages)) {
    const before = await keysOf(one);
    await killed(one);
    const path = lastOf(one.path(LOG), 'incr.aof');
    damage(path);
    const damaged = readFileSync(path);
    await failsToStart(one, new RegExp(problem));
    const file = relative(one.path(''), path);
    assert.deepEqual(reportOf(one).disk.damage, { file, problem, cuttable: true });
    const cut = await one.session.request('cut_log', { id: one.id });
    assert.equal(cut.keptBytes + cut.cutBytes, damaged.length);
    assert.deepEqual(readFileSync(path), damaged.subarray(0, cut.keptBytes), 'what can be read stays');
    assert.deepEqual(readFileSync(cut.aside), damaged.subarray(cut.keptBytes), 'what cannot is kept');
    assert.deepEqual([reportOf(one).disk.damage, reportOf(one).disk.cut], [null, cut]);
    await assert.rejects(one.session.request('cut_log', { id: one.id }), valkeeperError('nothing_to_mend'));
    await start(one);
    const keys = await keysOf(one);
    t.diagnostic(`${problem}: ${cut.cutBytes} of ${damaged.length} bytes cut off, ${keys} of ${before} keys left`);
    assert.ok(keys >= before / 3 && keys < before, `${keys} of ${before} keys`);
    await assert.rejects(one.session.request('cut_log', { id: one.id }), valkeeperError('node_runs'));
    await assert.rejects(one.session.request('set_data_aside', { id: one.id }), valkeeperError('node_runs'));
  }
  const kept = readdirSync(one.path('')).filter((name) => name.includes('.cut-at-'));
  assert.equal(kept.length, 1, 'the last one only');
});

/** The engine would start empty, or with a part, and say nothing. */
test('a log without its manifest, or with an empty base, is not started from', async (t) => {
  const one = await holder(await agentScene(t), 'aof');
  await killed(one);
  const manifest = join(one.path(LOG), 'appendonly.aof.manifest');
  renameSync(manifest, one.path('manifest'));
  await assert.rejects(start(one), valkeeperError('node_data_damaged', /appendonly\.aof\.manifest: it is missing/));
  await assert.rejects(one.session.request('cut_log', { id: one.id }), valkeeperError('nothing_to_mend'));
  renameSync(one.path('manifest'), manifest);

  const base = lastOf(one.path(LOG), 'base.rdb');
  const whole = readFileSync(base);
  truncateSync(base, 0);
  await assert.rejects(start(one), valkeeperError('node_data_damaged', /base\.rdb: it is empty/));
  writeFileSync(base, whole);
  await start(one);
  assert.equal(await keysOf(one), KEYS);
});

test('a damaged snapshot is told; put aside, the node starts empty; put back whole by hand, with all it had', async (t) => {
  const one = await holder(await agentScene(t), 'snapshot');
  await one.node.command('SAVE');
  await killed(one);
  const path = one.path('dump.rdb');
  const whole = readFileSync(path);
  const damages: [text: RegExp, bytes: Buffer][] = [
    [/its end is missing/, whole.subarray(0, whole.length - 20)],
    [/its end is missing/, Buffer.alloc(0)],
    [/it is not a snapshot/, Buffer.from('GARBAGE80 and more of it')],
    [/its checksum is wrong/, Buffer.concat([whole.subarray(0, -8), Buffer.from('GARBAGE8')])],
  ];
  for (const [text, bytes] of damages) {
    writeFileSync(path, bytes);
    await failsToStart(one, text);
  }
  writeFileSync(path, whole);
  await one.session.until('the damage to be forgotten', (nodes) => nodes.get(one.id)?.disk.damage === null);
  await start(one);
  assert.equal(await keysOf(one), KEYS);

  await killed(one);
  writeFileSync(path, whole.subarray(0, 300));
  await failsToStart(one, /./);
  await one.session.request('set_data_aside', { id: one.id });
  assert.deepEqual([reportOf(one).disk.hasData, reportOf(one).disk.damage], [false, null]);
  assert.equal(statSync(one.path('dump.rdb.damaged')).size, 300);
  await assert.rejects(one.session.request('set_data_aside', { id: one.id }), valkeeperError('nothing_to_mend'));
  await start(one);
  assert.equal(await keysOf(one), 0);
});
