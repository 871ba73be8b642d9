/** Agents that know each other: from a control plane, and without one. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Heard, NeighbourLine } from '../../src/agent/neighbour-line.ts';
import type { GuardedDatabase, VoterList } from '../../src/domain/roster.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { createLogger } from '../../src/platform/log.ts';
import type { FleetStatus } from '../../src/protocol/api.ts';
import { NEIGHBOUR_PORT, type Question } from '../../src/protocol/neighbour-messages.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { killAndWait } from '../support/agent-scene.ts';
import { Door, until } from '../support/door.ts';
import { withFleet } from '../support/fleet.ts';
import { JoinedFleet } from '../support/joined-fleet.ts';

/** What an agent keeps on its disk; null before it has. */
function rosterIn(dir: string): { voters: VoterList; databases: GuardedDatabase[] } | null {
  const path = join(dir, 'roster.json');
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

const namesIn = ({ voters }: VoterList): string => voters.map(({ machine }) => machine).join(' ');

/** All of these agents have the same list, with these names, and may be taken over from. */
const agreed = (names: string, dirs: readonly string[]): Promise<VoterList> =>
  until(`the agents agree on ${names}`, () => {
    const lists = dirs.map((dir) => rosterIn(dir)?.voters);
    const [first] = lists;
    const isSo = first && lists.every((list) => list?.version === first.version) && namesIn(first) === names;
    return isSo && first.voters.every(({ leased }) => leased) ? first : null;
  });

test('every agent of a fleet knows the voters and its databases, and answers with no server there', async () => {
  await withFleet({ machines: 3 }, async (fleet) => {
    const dirs = ['machine-1', 'machine-2', 'machine-3'].map((name) => join(fleet.dir, 'machines', name));
    const list = await agreed('machine-1 machine-2 machine-3', dirs);
    const places = list.voters.map(({ address, port }) => `${address}:${port}`);
    assert.deepEqual(
      places,
      fleet.addresses().map((address) => `${address}:${NEIGHBOUR_PORT}`),
    );
    const { shards } = await fleet.show();
    for (const [index, dir] of dirs.entries()) {
      const { databases } = await until('main is guarded', () => {
        const roster = rosterIn(dir);
        return roster?.databases[0]?.observedGeneration === 1 ? roster : null;
      });
      assert.deepEqual(
        databases.map(({ name }) => name),
        ['main'],
      );
      assert.equal(databases[0]!.nodes.length, shards.length * 2, `machine-${index + 1}`);
    }

    const { pid } = (await fleet.cli('status', '--json')).json<FleetStatus>();
    await killAndWait(pid);
    const authorization = `Bearer ${readFileSync(join(fleet.dir, 'agent-token'), 'utf8').trim()}`;
    const { log, close } = createLogger({ name: 'test', file: join(fleet.dir, 'test.log'), level: 'info' });
    const ask = async (index: number, version: number, question: Question): Promise<Heard> => {
      const access = () => ({ headers: { authorization } });
      const line = new NeighbourLine({ voter: list.voters[index]!, secure: false, access, log });
      const heard = await line.ask(version, question);
      line.close();
      return heard;
    };
    const answerOf = (index: number, version: number, question: Question) =>
      until(`machine-${index + 1} answers`, async () => {
        const heard = await ask(index, version, question); // a busy machine may take longer than an answer may
        return heard.how === 'answered' ? heard.answer : null;
      });
    assert.deepEqual(await answerOf(0, list.version, { ask: 'lease', machine: 'machine-2' }), {
      kind: 'granted',
      claimed: [],
    });
    assert.deepEqual(await answerOf(1, list.version - 1, { ask: 'lease', machine: 'machine-1' }), {
      kind: 'newer-voters',
      voters: list,
    });
    // Nobody takes over from a machine that is heard of.
    const claim: Question = { ask: 'claim', by: 'machine-1', machine: 'machine-2', database: 'none', nodes: [] };
    assert.equal((await answerOf(2, list.version, claim)).kind, 'denied');
    close();
    await fleet.up();
  });
});

test('machines come and go, one version after the other', async (t) => {
  const store = openMemoryStore();
  const lists: VoterList[] = [];
  t.after(store.watch<VoterList>('voters', (change) => change.kind === 'put' && lists.push(change.value)));
  const door = await Door.open(t, { store });
  const dirs: string[] = [];
  for (const name of ['a', 'bb', 'ccc']) dirs.push(join((await door.agent(name)).dir, 'machine'));
  const three = await agreed('a bb ccc', dirs);
  const fourth = await door.agent('dddd');
  const four = await agreed('a bb ccc dddd', [...dirs, join(fourth.dir, 'machine')]);
  assert.ok(four.version > three.version);
  await fourth.agent.close();
  await until('dddd is away', () => (door.plane.fleet.status('dddd').connected ? null : true));
  await pause(100);
  assert.equal(namesIn(lists.at(-1)!), 'a bb ccc dddd', 'who is away still votes');
  await door.plane.fleet.remove('dddd');
  await agreed('a bb ccc', dirs);
  for (const [index, { version, voters }] of lists.entries()) {
    assert.equal(version, index + 1);
    const before = lists[index - 1]?.voters.length ?? 0;
    assert.ok(Math.abs(voters.length - before) <= 1, JSON.stringify(lists));
  }
});

test('a witness makes two machines three voters, and gets no node', async (t) => {
  const fleet = await JoinedFleet.start(t, 5);
  await fleet.join(1, 'alpha');
  await fleet.join(2, 'beta');
  const created = await fleet.cli('db', 'create', 'main', '--shards', '1', '--replicas', '1', '--memory', '64mb');
  assert.equal(created.code, 0, created.stdout + created.stderr);
  const conditions = async (): Promise<string[]> =>
    (await fleet.ask<DatabaseStatus>('db', 'show', 'main')).conditions.map(({ code }) => code);
  const isOneHost = !fleet.hosts[0]!.isolated;
  if (!isOneHost)
    await until('the condition', async () => ((await conditions()).includes('no_takeover') ? true : null));

  const both = await fleet.refusedAgent(1, '--witness', '--memory', '64mb');
  assert.equal(both.code, 2, both.stdout + both.stderr);
  const { command } = await fleet.token();
  const witness = fleet.agent(3, ...command.split(' ').slice(2), '--name', 'gamma', '--witness');
  const shown = await fleet.machine('gamma', ({ connected }) => connected, witness);
  assert.deepEqual([shown.memoryBytes, shown.nodes, shown.endpoint], [0, 0, null]);
  const homes = ['alpha', 'beta', 'gamma'].map((name, index) => join(fleet.home(index + 1), 'machines', name));
  await agreed('alpha beta gamma', homes);
  await until('no condition', async () => ((await conditions()).includes('no_takeover') ? null : true));
  const list = await fleet.cli('machine', 'list');
  assert.match(list.stdout, /^gamma .* connected +0 +witness +none$/m);
  assert.match((await fleet.cli('machine', 'show', 'gamma')).stdout, /role +witness: it votes, and takes no nodes/);
  const { endpoints } = await fleet.ask<DatabaseStatus>('db', 'show', 'main');
  assert.deepEqual(
    endpoints.map(({ machine }) => machine),
    ['alpha', 'beta'],
  );
  // Nothing is placed there: neither copies of a machine that is to be emptied, nor those of another database.
  const drain = await fleet.cli('machine', 'drain', 'alpha');
  assert.equal(drain.code, 5, drain.stdout + drain.stderr);
  const more = await fleet.cli('db', 'create', 'wide', '--shards', '1', '--replicas', '2', '--memory', '64mb');
  assert.notEqual(more.code, 0, more.stdout);
  // It stays a witness without the flag; a machine with nodes becomes none.
  witness.kill('SIGTERM');
  await fleet.machine('gamma', ({ connected }) => !connected);
  const again = fleet.agent(3);
  assert.equal((await fleet.machine('gamma', ({ connected }) => connected, again)).memoryBytes, 0);
  const refused = await fleet.refusedAgent(1, '--witness');
  assert.match(refused.stdout + refused.stderr, /This machine has nodes/);
});
