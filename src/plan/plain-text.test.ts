import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import { machinesFor } from './layout.ts';
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

it('a database with TLS gets further copies only where there are credentials, one without anywhere', () => {
  const machines = fleet(4).map((machine, index) => ({ ...machine, tls: index === 3 }));
  const { database } = readyWorld(machines.slice(0, 2), { shards: 1, replicas: 1 });
  const names = (tls: boolean): string[] =>
    machinesFor({ nodes: database.nodes.map((node) => ({ ...node, tls })) }, machines).map(({ name }) => name);
  assert.deepEqual(names(true), ['machine-1', 'machine-2', 'machine-4']);
  assert.deepEqual(names(false), ['machine-1', 'machine-2', 'machine-3', 'machine-4']);
});
