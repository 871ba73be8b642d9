/**
 * Where nobody takes over by itself, a person says that a machine is off. Real hosts, mutual TLS: two machines, and the
 * majority of three.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { RosterContent } from '../../src/agent/roster.ts';
import type { FailoverRecord } from '../../src/domain/failover.ts';
import { keyInSlots } from '../../src/domain/key-slot.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { JoinedFleet, type Running, until } from '../support/joined-fleet.ts';
import { processesUnder } from '../support/leaks.ts';
import { cut, ensureFaultTools, mend } from '../support/net-faults.ts';
import type { NodeCommands } from '../support/node-commands.ts';

const isRoot = process.getuid?.() === 0;
const NODE_COMMANDS = join(import.meta.dirname, '..', 'support', 'node-commands.ts');
/** So often each of two old primaries gets a higher epoch than the other. */
const BUMPS = 5;

interface Refusal {
  error: { code: string; message: string; hint: string };
}

async function nodeCommands(fleet: JoinedFleet, index: number, commands: NodeCommands['commands']): Promise<string[]> {
  const wish: NodeCommands = { home: fleet.home(index), machine: `m${index}`, commands };
  const { code, stdout, stderr } = await fleet.hosts[index]!.run([
    process.execPath,
    NODE_COMMANDS,
    JSON.stringify(wish),
  ]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as string[];
}

const show = (fleet: JoinedFleet): Promise<DatabaseStatus> => fleet.ask<DatabaseStatus>('db', 'show', 'main');
const untilReady = (fleet: JoinedFleet): Promise<DatabaseStatus> =>
  until('main is ready', async () => {
    const status = await show(fleet);
    return status.state === 'ready' ? status : null;
  });

it('of two machines, one takes the place of the other because a person says so, and what comes back is fenced', {
  skip: isRoot ? false : 'needs root',
}, async (t) => {
  await ensureFaultTools();
  const fleet = await JoinedFleet.start(t, 4);
  for (const index of [1, 2]) await fleet.join(index, `m${index}`);
  await fleet.ask('db', 'create', 'main', '--shards', '2', '--replicas', '1', '--memory', '48mb');
  // Both primaries on the first, each because it was asked for: else they would be levelled.
  for (const { id, primary } of (await show(fleet)).shards) {
    if (primary!.machine === 'm1') await fleet.ask('shard', 'switchover', 'main', id, '--to', 'm2');
    await fleet.ask('shard', 'switchover', 'main', id, '--to', 'm1');
  }
  const before = await untilReady(fleet);
  assert.ok(before.conditions.some(({ code }) => code === 'no_takeover'));
  assert.deepEqual(
    before.shards.map(({ primary }) => primary!.machine),
    ['m1', 'm1'],
  );
  const old = before.shards.map(({ primary }) => primary!.nodeId);
  const heirs = before.shards.map(({ replicas }) => replicas[0]!.nodeId);
  const takeover = async (...words: string[]): Promise<[number, Refusal['error']]> => {
    const { code, stdout } = await fleet.cli('shard', 'takeover', 'main', ...words, '--json');
    return [code, (JSON.parse(stdout) as Refusal).error];
  };
  const [answers, { code, message }] = await takeover('shard-1', '--machine-is-off');
  assert.deepEqual([answers, code], [5, 'takeover_refused']);
  assert.match(message, /it answers/);

  await cut(fleet.hosts[1]!);
  await fleet.machine('m1', ({ connected }) => !connected);
  // Whoever takes over gets the next epoch; those that are cut off get many more.
  const bumps = Array.from({ length: BUMPS * 2 }, (_, index) => ({
    node: old[index % 2]!,
    words: ['CLUSTER', 'BUMPEPOCH'],
  }));
  const bumped = await nodeCommands(fleet, 1, bumps);
  assert.ok(Number(bumped.at(-1)!.split(' ')[1]) > BUMPS, bumped.join());
  const [gate, refusal] = await takeover('shard-1');
  assert.deepEqual([gate, refusal.code], [5, 'takeover_unconfirmed'], refusal.message);
  assert.match(refusal.hint, /`valkeeper shard takeover main shard-1 --machine-is-off`/);
  const untaken = (await show(fleet)).shards.map(({ primary }) => primary);
  assert.deepEqual(untaken, [null, null], 'nobody took over by itself');

  for (const [index, shard] of ['shard-1', 'shard-2'].entries()) {
    const wish = await fleet.ask('shard', 'takeover', 'main', shard, '--machine-is-off');
    assert.deepEqual(wish, { shard, from: old[index], to: heirs[index], mode: 'takeover' });
  }
  const taken = await show(fleet);
  assert.deepEqual(
    taken.shards.map(({ primary }) => primary?.nodeId),
    heirs,
  );
  const { failovers } = await fleet.ask<{ failovers: FailoverRecord[] }>('db', 'failovers', 'main');
  assert.deepEqual(failovers.map(({ cause, mode, chosen }) => [cause, mode, chosen]).reverse(), [
    ['asked', 'takeover', heirs[0]],
    ['asked', 'takeover', heirs[1]],
  ]);
  const keys = taken.shards.map(({ slots }) => keyInSlots('test:', slots));
  // The engine lets some seconds pass after it was in a minority.
  await until('the successors take writes', async () => {
    const sets = heirs.map((node, index) => ({ node, words: ['SET', keys[index]!, 'kept'] }));
    return isDeepStrictEqual(await nodeCommands(fleet, 2, sets), ['OK', 'OK']) || null;
  });
  await until('the old primaries are forgotten', async () => {
    const known = await nodeCommands(
      fleet,
      2,
      heirs.map((node) => ({ node, words: ['CLUSTER', 'NODES'] })),
    );
    return known.every((lines) => old.every((id) => !lines.includes(id))) || null;
  });

  await mend(fleet.hosts[1]!);
  await fleet.machine('m1', ({ connected }) => connected);
  const after = await untilReady(fleet);
  assert.deepEqual(
    after.shards.map(({ primary, replicas }) => [primary?.nodeId, replicas.map(({ nodeId }) => nodeId)]),
    old.map((id, index) => [heirs[index], [id]]),
  );
  assert.ok(!after.conditions.some(({ code: one }) => one === 'node_overridden'));
  const kept = await nodeCommands(
    fleet,
    2,
    heirs.map((node, index) => ({ node, words: ['GET', keys[index]!] })),
  );
  assert.deepEqual(kept, ['kept', 'kept'], 'what was written to the successors');
});

it('of three machines, the last one goes on when the others are taken out as off for good, and nothing of them comes back', {
  skip: isRoot ? false : 'needs root',
}, async (t) => {
  await ensureFaultTools();
  const fleet = await JoinedFleet.start(t, 5);
  const agents: Running[] = [];
  for (const index of [1, 2, 3]) agents.push(await fleet.join(index, `m${index}`));
  const shape = ['--shards', '3', '--replicas', '2', '--memory', '48mb', '--persistence', 'none'];
  const before = await fleet.ask<DatabaseStatus>('db', 'create', 'main', ...shape);
  const here = before.shards.flatMap(({ primary, replicas }) => [primary!, ...replicas].filter(onFirst));
  const keys = before.shards.map(({ slots }) => keyInSlots('test:', slots));
  const own = before.shards.findIndex(({ primary }) => onFirst(primary!));
  assert.notEqual(own, -1, 'each machine has a primary');
  const sets = here.map(({ nodeId: node }, index) => ({ node, words: ['SET', keys[index]!, 'kept'] }));
  await until('the first machine needs a lease', () => {
    const { voters } = rosterOf(fleet, 1).voters;
    return (voters.length === 3 && voters.every(({ leased }) => leased)) || null;
  });

  for (const index of [2, 3]) await cut(fleet.hosts[index]!);
  for (const name of ['m2', 'm3']) await fleet.machine(name, ({ connected }) => !connected);
  const [stopped] = await nodeCommands(fleet, 1, [sets[own]!]);
  assert.notEqual(stopped, 'OK', 'without a majority its primaries take no writes');
  const refused = await fleet.cli('machine', 'remove', 'm2', '--json');
  const { error } = JSON.parse(refused.stdout) as Refusal;
  assert.deepEqual([refused.code, error.code], [5, 'removal_unconfirmed']);
  assert.match(error.hint, /`valkeeper machine remove m2 --is-off`/);

  for (const name of ['m2', 'm3']) await fleet.ask('machine', 'remove', name, '--is-off');
  await until('the first machine serves all shards', async () => {
    const { shards } = await show(fleet);
    return shards.every(({ primary }) => primary && onFirst(primary)) || null;
  });
  await until('it takes writes', async () => {
    return (await nodeCommands(fleet, 1, sets)).every((reply) => reply === 'OK') || null;
  });
  assert.deepEqual(
    rosterOf(fleet, 1).voters.voters.map(({ machine }) => machine),
    ['m1'],
  );

  await mend(fleet.hosts[2]!);
  await until('the agent of a machine that was taken out ends', () => agents[1]!.exitCode !== null || null);
  assert.deepEqual(processesUnder(fleet.home(2)), [], 'and so does what it ran');
  const gets = here.map(({ nodeId: node }, index) => ({ node, words: ['GET', keys[index]!] }));
  assert.deepEqual(await nodeCommands(fleet, 1, gets), ['kept', 'kept', 'kept']);
});

const onFirst = ({ machine }: { machine: string }): boolean => machine === 'm1';

const rosterOf = (fleet: JoinedFleet, index: number): RosterContent =>
  JSON.parse(readFileSync(join(fleet.home(index), 'machines', `m${index}`, 'roster.json'), 'utf8')) as RosterContent;
