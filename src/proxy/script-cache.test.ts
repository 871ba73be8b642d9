import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { it } from 'node:test';
import { ScriptCache } from './script-cache.ts';

const shaOf = (text: string): string => createHash('sha1').update(text).digest('hex');
const scriptOf = (number: number): Buffer => Buffer.from(`return ${number}`.padEnd(1_000));

it('keeps scripts by their SHA-1, and of too many the ones that were used last', () => {
  const cache = new ScriptCache(5_000);
  const shas = [1, 2, 3].map((number) => cache.remember(scriptOf(number)));
  assert.deepEqual(
    shas,
    [1, 2, 3].map((number) => shaOf(String(scriptOf(number)))),
  );
  assert.deepEqual(cache.get(shas[0]!.toUpperCase()), scriptOf(1));
  cache.remember(scriptOf(1));
  for (const number of [4, 5]) cache.remember(scriptOf(number));
  assert.equal(cache.get(shas[1]!), undefined, 'the one that was used longest ago has gone');
  assert.deepEqual(cache.get(shas[0]!), scriptOf(1));
});

it('does not keep a script that alone is too large', () => {
  const cache = new ScriptCache(500);
  assert.equal(cache.get(cache.remember(scriptOf(1))), undefined);
});
