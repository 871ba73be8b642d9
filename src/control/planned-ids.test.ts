import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PlannedIds } from './planned-ids.ts';

test('what is created gets the ids that were planned, once', () => {
  const ids = new PlannedIds();
  const planned = ids.show('orders', 4);
  assert.equal(new Set(planned).size, 4);
  assert.deepEqual(ids.show('orders', 2), planned.slice(0, 2), 'a smaller wish');
  assert.deepEqual(ids.show('orders', 6).slice(0, 4), planned, 'a larger one');
  assert.notDeepEqual(ids.show('others', 4), planned);
  assert.deepEqual(ids.take('orders', 4), planned);
  assert.ok(
    ids.show('orders', 4).every((id) => !planned.includes(id)),
    'the next of that name are new',
  );
});

test('names that were only planned are forgotten in the end', () => {
  const ids = new PlannedIds();
  const [first] = ids.show('first', 1);
  for (let n = 0; n < 1_000; n += 1) ids.show(`n${n}`, 1);
  assert.notEqual(ids.show('first', 1)[0], first);
});
