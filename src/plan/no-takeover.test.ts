import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { MachineView } from '../domain/view.ts';
import { plan } from './plan.ts';
import { describeProblem } from './problems.ts';
import { statusOf } from './status.ts';

const hosts = (count: number): MachineView[] =>
  fleet(count).map((machine, index) => ({ ...machine, address: `10.0.0.${11 + index}` }));

const told = (machines: readonly MachineView[], replicas = 1): string[] => {
  const { database, view } = readyWorld(machines, { shards: 1, replicas });
  const { problems } = plan(database, view);
  return problems.filter(({ code }) => code === 'no_takeover').map(describeProblem);
};

it('two machines cannot take over from each other by themselves, and that is told', () => {
  assert.deepEqual(told(hosts(2)), [
    'The fleet has 2 machines: after the loss of one of them nobody can take over by itself.',
  ]);
  const { database, view } = readyWorld(hosts(2), { shards: 1, replicas: 1 });
  const { problems, steps } = plan(database, view);
  assert.deepEqual(steps, []);
  assert.equal(statusOf(database, view, problems, new Map(), new Map()).state, 'ready');
});

it('not with a third machine, which may be a witness, and which may be away', () => {
  const [a, b, c] = hosts(3);
  assert.deepEqual(told([a!, b!, c!]), []);
  const { database, view } = readyWorld([a!, b!], { shards: 1, replicas: 1 });
  const third = (change: Partial<MachineView>) => {
    const machines = [...view.machines, { ...c!, memoryBytes: 0, endpoint: null, ...change }];
    return plan(database, { ...view, machines }).problems.some(({ code }) => code === 'no_takeover');
  };
  assert.deepEqual([third({}), third({ connected: false }), third({ state: 'removed' })], [false, false, true]);
});

it('not where nothing could be taken over, or all is one host', () => {
  assert.deepEqual(told(hosts(2), 0), []);
  assert.deepEqual(told(hosts(1), 1), []);
  assert.deepEqual(told(fleet(2)), []);
});
