import assert from 'node:assert/strict';
import { it } from 'node:test';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { drainObstacles } from './drain.ts';

const wish = { shards: 1, replicas: 1 } as const;

it('needs a place elsewhere for every copy of the machine', () => {
  const machines = fleet(3);
  const database = databaseOn(machines.slice(0, 2), wish);
  assert.deepEqual(drainObstacles('machine-1', [database], machines), []);
  const [obstacle, ...others] = drainObstacles('machine-1', [database], machines.slice(0, 2));
  assert.match(obstacle!, /^test: 1 copy of \S+ each would have no place\. Add one machine/);
  assert.deepEqual(others, []);
});

it('counts room once, however many databases would take it', () => {
  const machines = fleet(2);
  const one = databaseOn(machines, wish);
  const other: Database = { ...one, name: 'other', uid: 'other' };
  const small = { ...fleet(3)[2]!, memoryBytes: 400 * 1024 ** 2 };
  assert.deepEqual(drainObstacles('machine-1', [one], [...machines, small]), []);
  const obstacles = drainObstacles('machine-1', [one, other], [...machines, small]);
  assert.deepEqual(
    obstacles.map((text) => text.split(':')[0]),
    ['other'],
  );
});

it('does not send the nodes of a database that speaks TLS to a machine that cannot', () => {
  const machines = fleet(3).map((machine, index) => ({ ...machine, tls: index < 2 }));
  const plain = databaseOn(machines.slice(0, 2), wish);
  const database: Database = { ...plain, nodes: plain.nodes.map((node) => ({ ...node, tls: true })) };
  assert.equal(drainObstacles('machine-1', [database], machines).length, 1);
  const able = machines.map((machine) => ({ ...machine, tls: true }));
  assert.deepEqual(drainObstacles('machine-1', [database], able), []);
});
