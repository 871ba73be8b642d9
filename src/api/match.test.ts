import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ValkeeperError } from '../domain/errors.ts';
import { etagOf, requireMatch } from './match.ts';

const database = { name: 'a', generation: 3 };
const ask = (ifMatch?: string): void => requireMatch({ headers: { 'if-match': ifMatch } }, database);

test('goes on without If-Match, and with one that names the present generation', () => {
  for (const wanted of [undefined, '*', etagOf(database), '"2", "3"']) ask(wanted);
});

test('refuses any other, and tells the present generation', () => {
  for (const wanted of ['"2"', '3', 'W/"3"', '']) {
    assert.throws(
      () => ask(wanted),
      (error) =>
        error instanceof ValkeeperError && error.code === 'generation_changed' && /generation 3/.test(error.message),
      wanted,
    );
  }
});
