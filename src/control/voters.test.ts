/** Who votes and what is guarded, told to stand-ins of agents. */
import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { MachineRecord } from '../domain/machine.ts';
import type { VoterList } from '../domain/roster.ts';
import { systemClock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { AgentRequests, FromAgent, Hello, Request } from '../protocol/agent-messages.ts';
import { openMemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { type AgentSession, Agents } from './agents.ts';
import { Guards } from './guards.ts';
import { VoterRecord, Voters } from './voters.ts';

const LOG: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => LOG };
const PATIENCE_MS = 20_000;
const SETTLE_MS = 100;

/** Voters over a store, and stand-ins of agents that keep what they are told. */
async function scene(t: TestContext, store: Store = openMemoryStore()) {
  const agents = new Agents(systemClock);
  const removed = new Set<string>();
  const sessions = new Map<string, AgentSession>();
  const known = new Map<string, VoterList>();
  const versions: VoterList[] = [];
  t.after(store.watch<VoterList>('voters', (change) => change.kind === 'put' && versions.push(change.value)));
  const voters = new Voters({
    ...{ agents, clock: systemClock, log: LOG, record: await VoterRecord.open(store) },
    machines: () =>
      agents.machines().map(({ name }) => ({ name, state: removed.has(name) ? 'removed' : 'active' }) as MachineRecord),
  });
  t.after(() => voters.close());
  agents.on('machine', ({ name }) => {
    voters.forget(name);
    voters.changed();
  });
  /** @param answer what it says to each list; without it, that it has it */
  const come = (machine: string, neighbourPort: number | null = 7450, answer?: (list: VoterList) => unknown): void => {
    const send = (text: unknown): void => {
      const { id, operation, args } = JSON.parse(String(text)) as Request;
      assert.equal(operation, 'set_voters');
      const list = args as VoterList;
      const result = answer ? answer(list) : { version: list.version };
      if (result === undefined) return;
      const reply: FromAgent =
        result instanceof Error ? { type: 'reply', id, error: toErrorDocument(result) } : { type: 'reply', id, result };
      if (!answer) known.set(machine, list);
      setImmediate(() => session.answered(reply));
    };
    const hello = {
      machine,
      address: '127.0.0.1',
      zone: 'z',
      memoryBytes: 1,
      nodes: [],
      endpoint: null,
      neighbourPort,
    };
    const session = agents.welcome({ send, close: () => {} }, hello as unknown as Hello);
    sessions.set(machine, session);
  };
  const until = async (what: string, holds: () => boolean): Promise<void> => {
    const deadline = performance.now() + PATIENCE_MS;
    while (!holds()) {
      assert.ok(performance.now() < deadline, `${what}: ${JSON.stringify(voters.list)}`);
      await systemClock.sleep(5);
    }
  };
  /** All on the list may be taken over from, and all that are connected have it. */
  const settled = (names: string): Promise<void> =>
    until(`${names} vote`, () => {
      const { version, voters: all } = voters.list;
      const isSo = all.map(({ machine }) => machine).join('') === names && all.every(({ leased }) => leased);
      return isSo && [...names].every((name) => !sessions.has(name) || known.get(name)?.version === version);
    });
  return {
    ...{ agents, come, known, settled, store, until, versions, voters },
    leave: (machine: string) => agents.left(sessions.get(machine)!),
    remove: (machine: string) => {
      removed.add(machine);
      sessions.delete(machine);
      voters.changed();
    },
  };
}

/** Versions follow one another, and two that do have at most one voter that is not on both. */
function assertOneByOne(versions: readonly VoterList[]): void {
  for (const [index, { version, voters }] of versions.entries()) {
    const before = versions[index - 1];
    if (!before) continue;
    assert.equal(version, before.version + 1);
    const [was, is] = [before.voters, voters].map((all) => all.map(({ machine }) => machine));
    const onOne = [...was!, ...is!].filter((name) => was!.includes(name) !== is!.includes(name));
    assert.ok(onOne.length <= 1, JSON.stringify([before, versions[index]]));
  }
}

describe('voters', () => {
  it('are the machines that come, one at a time, and every agent knows', async (t) => {
    const { come, known, settled, versions } = await scene(t);
    for (const name of 'abc') come(name);
    await settled('abc');
    come('d');
    await settled('abcd');
    assert.deepEqual([...new Set([...known.values()].map(({ version }) => version))].length, 1);
    assertOneByOne(versions);
  });

  it('are not those that answer nobody', async (t) => {
    const { come, known, voters } = await scene(t);
    come('a', null);
    await systemClock.sleep(SETTLE_MS);
    assert.deepEqual([voters.list, known.size], [{ version: 0, voters: [] }, 0]);
  });

  it('change no further until a majority has the present list', async (t) => {
    const { come, until, voters } = await scene(t);
    const deaf = () => new ValkeeperError('file_unusable', { verb: 'write', path: 'roster.json', problem: 'full' });
    come('a');
    come('b', 7450, deaf);
    come('c', 7450, deaf);
    await until('three vote', () => voters.list.voters.length === 3);
    come('d');
    await systemClock.sleep(SETTLE_MS);
    assert.equal(voters.list.voters.length, 3);
    come('b');
    await until('all four vote', () => voters.list.voters.length === 4);
  });

  it('must have each list anew: who had the one before has not said that of this one', async (t) => {
    const { come, until, voters } = await scene(t);
    const until3 = (list: VoterList) =>
      list.voters.length <= 3 ? { version: list.version } : new ValkeeperError('agent_away', { machine: 'x' });
    for (const name of 'abc') come(name, 7450, until3);
    await until('three may be taken over from', () => voters.list.voters.filter(({ leased }) => leased).length === 3);
    come('d', 7450, until3);
    come('e', 7450, until3);
    await until('four vote', () => voters.list.voters.length === 4);
    await systemClock.sleep(SETTLE_MS);
    assert.equal(voters.list.voters.length, 4);
  });

  it('stay when they are away, and go when they are removed', async (t) => {
    const { come, leave, remove, settled, versions, voters } = await scene(t);
    for (const name of 'abcd') come(name);
    await settled('abcd');
    leave('d');
    await systemClock.sleep(SETTLE_MS);
    assert.equal(voters.list.voters.length, 4);
    remove('d');
    await settled('abc');
    assertOneByOne(versions);
  });

  it('are told where one is that has moved', async (t) => {
    const { come, settled, until, voters } = await scene(t);
    for (const name of 'abc') come(name);
    await settled('abc');
    const { version } = voters.list;
    come('b', 8000);
    await until('b is at its new port', () => voters.list.voters[1]!.port === 8000);
    assert.equal(voters.list.version, version + 1);
  });

  it('outlive the control plane: the next one tells the same list', async (t) => {
    const first = await scene(t);
    for (const name of 'abc') first.come(name);
    await first.settled('abc');
    first.voters.close();
    const { come, known, until, voters } = await scene(t, first.store);
    assert.deepEqual(voters.list, first.voters.list);
    come('a');
    await until('a is told', () => known.has('a'));
    assert.deepEqual(known.get('a'), first.voters.list);
  });

  it('get a later list than any that an agent has, when the store is older than that', async (t) => {
    const { come, until, voters } = await scene(t);
    come('a');
    come('b');
    let version = 70;
    come('c', 7450, (list) => {
      version = Math.max(version, list.version);
      return { version };
    });
    await until('c has it and may be taken over from', () => voters.list.version > 71 && voters.list.voters[2]!.leased);
  });
});

it('every agent is told of the databases with something on its machine, again when a record changes', async (t) => {
  const agents = new Agents(systemClock);
  const told: { machine: string; uids: string[]; text: string }[] = [];
  for (const machine of ['machine-1', 'machine-2', 'machine-3']) {
    const send = (text: unknown): void => {
      const { id, operation, args } = JSON.parse(String(text)) as Request;
      assert.equal(operation, 'guard_databases');
      const { databases } = args as AgentRequests['guard_databases']['args'];
      told.push({ machine, uids: databases.map(({ uid }) => uid), text: String(text) });
      setImmediate(() => session.answered({ type: 'reply', id, result: {} }));
    };
    const hello = { machine, address: '127.0.0.1', nodes: [], endpoint: null, neighbourPort: null };
    const session = agents.welcome({ send, close: () => {} }, hello as unknown as Hello);
  }
  const on = (machines: number, uid: string): Database => ({ ...databaseOn(fleet(machines), { shards: 1 }), uid });
  let databases = [on(2, 'two'), { ...on(1, 'one'), retired: [{ ...on(3, 'x').nodes[0]!, machine: 'machine-3' }] }];
  const guards = new Guards({ agents, clock: systemClock, log: LOG, databases: () => databases });
  t.after(() => guards.close());
  const next = async () => {
    told.length = 0;
    guards.changed();
    await systemClock.sleep(SETTLE_MS);
    return Object.fromEntries(told.map(({ machine, uids }) => [machine, uids]));
  };
  assert.deepEqual(await next(), { 'machine-1': ['two', 'one'], 'machine-2': ['two'], 'machine-3': ['one'] });
  for (const { text } of told) {
    assert.match(text, /"adminPassword":"[^"]+"/);
    assert.doesNotMatch(text, /"secrets"/);
  }
  assert.deepEqual(await next(), {}, 'nothing new');
  databases = databases.map((database) => (database.uid === 'two' ? { ...database, generation: 9 } : database));
  assert.deepEqual(await next(), { 'machine-1': ['two', 'one'], 'machine-2': ['two'] });
  databases = databases.filter(({ uid }) => uid !== 'one');
  guards.forget('machine-2');
  assert.deepEqual(await next(), { 'machine-1': ['two'], 'machine-2': ['two'], 'machine-3': [] });
});
