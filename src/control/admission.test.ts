import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet } from '../../test/support/worlds.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { DEFAULT_SPEC } from '../domain/spec.ts';
import { assignNodes, findPlaces } from './admission.ts';

it('where machines have credentials, only those get nodes, and the nodes speak TLS', () => {
  const machines = fleet(4).map((machine, index) => ({ ...machine, tls: index >= 2 }));
  const places = findPlaces({ ...DEFAULT_SPEC, replicas: 1 }, machines);
  assert.deepEqual([...new Set(places.map(({ machine }) => machine))].sort(), ['machine-3', 'machine-4']);
  const ports = new Map(machines.map(({ name }) => [name, [7000, 7001, 7002, 7003, 7004, 7005]]));
  const nodes = assignNodes(
    places,
    machines,
    places.map((_, index) => String(index)),
    ports,
  );
  assert.ok(nodes.every(({ tls }) => tls));

  const tooMany = { ...DEFAULT_SPEC, replicas: 2 };
  const refused = (error: unknown): boolean => error instanceof ValkeeperError && error.code === 'invalid_value';
  assert.throws(() => findPlaces(tooMany, machines), refused, 'rather refused than without TLS');
  const plain = findPlaces(tooMany, fleet(4));
  assert.ok(assignNodes(plain, fleet(4), plain.map(String), ports).every(({ tls }) => !tls));
});
