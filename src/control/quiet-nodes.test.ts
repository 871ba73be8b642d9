/** Which nodes no client uses, from counters that only grow. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { QuietNodes } from './quiet-nodes.ts';

it('calls a node quiet when nothing was asked of it since the look before', () => {
  const nodes = new QuietNodes();
  assert.equal(nodes.note('a', 7, 0), false, 'nothing to compare with');
  assert.equal(nodes.note('a', 7, 500), true);
  assert.equal(nodes.note('b', 7, 500), false, 'of another node');
  assert.equal(nodes.note('a', 8, 1_000), false);
  assert.equal(nodes.note('a', 8, 1_500), true);
});

it('believes no silence that is short, long past, or of a node that began anew', () => {
  const nodes = new QuietNodes();
  nodes.note('a', 7, 0);
  assert.equal(nodes.note('a', 7, 50), false, 'too short');
  assert.equal(nodes.note('a', 7, 120), true, 'since the first look');
  assert.equal(nodes.note('a', 7, 150), true, 'what is known holds');
  assert.equal(nodes.note('a', 9, 160), false, 'what is heard counts at once');
  assert.equal(nodes.note('a', 9, 100_000), false, 'too long ago');
  assert.equal(nodes.note('a', 0, 100_500), false);
  nodes.note('a', 0, 101_000);
  nodes.forget(['a']);
  assert.equal(nodes.note('a', 0, 101_500), false);
});
