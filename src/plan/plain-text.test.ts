import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { plan } from './plan.ts';
import { describeProblem } from './problems.ts';
import { statusOf } from './status.ts';

/** A database of two machines: the first on loopback, the second where others reach it. */
function world(tls: boolean) {
  const machines = fleet(2).map((machine, index) => (index === 0 ? machine : { ...machine, address: '10.0.0.12' }));
  const { database, view } = readyWorld(machines, { shards: 3, replicas: 1 });
  return { database: { ...database, nodes: database.nodes.map((node) => ({ ...node, tls })) }, view };
}

it('nodes without TLS that others reach are told, once a machine, and nothing else waits for it', () => {
  const { database, view } = world(false);
  const { problems, steps } = plan(database, view);
  const told = problems.filter(({ code }) => code === 'plain_text');
  assert.deepEqual(
    told.map(({ machine }) => machine),
    ['machine-2'],
  );
  assert.match(describeProblem(told[0]!), /Nodes on machine-2 speak without TLS at 10\.0\.0\.12/);
  assert.deepEqual(steps, []);
  assert.equal(statusOf(database, view, problems, new Map(), new Map()).state, 'ready');
});

it('with TLS there is nothing to tell', () => {
  const { database, view } = world(true);
  assert.ok(plan(database, view).problems.every(({ code }) => code !== 'plain_text'));
});
