import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet } from '../../test/support/worlds.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { DEFAULT_SPEC, requiredAcknowledgements } from '../domain/spec.ts';
import type { SpecInput } from '../protocol/api.ts';
import { assignNodes, completeSpec, findPlaces } from './admission.ts';

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

it('acknowledgements by more replicas than there are, are refused', () => {
  const asked = (input: SpecInput) => () => completeSpec({ durability: 'acknowledged', ...input });
  const refused = (problem: RegExp) => (error: unknown) => {
    assert.ok(error instanceof ValkeeperError && error.code === 'invalid_value');
    assert.match(error.message, problem);
    return true;
  };
  assert.throws(asked({ replicas: 0 }), refused(/each primary has 0 replicas/));
  assert.throws(asked({ replicas: 1, acknowledgements: 2 }), refused(/2 replicas must have each write.*has 1 replica/));
  assert.equal(asked({ replicas: 2, acknowledgements: 2 })().acknowledgements, 2);
  assert.equal(completeSpec({ replicas: 0 }).durability, 'async');
  assert.equal(requiredAcknowledgements(completeSpec({ replicas: 2, acknowledgements: 2 })), 0);
});
