import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import type { Database } from '../domain/database.ts';
import { nodeConfig } from './node-config.ts';

const seedsOf = (database: Database): (string | undefined)[] =>
  database.nodes.map(
    (node) => nodeConfig(database, node, 'replica').directives.find(([name]) => name === 'hash-seed')?.[1],
  );

test('all nodes of a database have one hash seed, and another database has another', () => {
  const database = databaseOn(fleet(3));
  const [seed, ...others] = seedsOf(database);
  assert.match(seed ?? '', /^[0-9a-f]{32}$/);
  assert.ok(others.every((other) => other === seed));
  assert.notEqual(seedsOf({ ...database, uid: 'another' })[0], seed);
});
