/** Which moments an archive can restore, and out of which chain. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { SlotRange } from '../domain/slots.ts';
import {
  beyondDays,
  type Chain,
  chainAt,
  intersection,
  isWithin,
  type Layout,
  union,
  windowOf,
} from './archive-window.ts';

const chain = (id: string, shard: string, baseAt: number, until: number, ownedFrom = baseAt): Chain => ({
  ...{ id, shard, node: `node-of-${id}`, baseAt, until, ownedFrom },
});

const ALL: readonly SlotRange[] = [[0, 16_383]];
const layout = (from: number, names: readonly string[], more: Partial<Layout> = {}): Layout => ({
  ...{ from, previousUntil: from - 1, isMoving: false, shards: names.map((name) => ({ name, slots: ALL })) },
  ...more,
});

it('joins spans that touch, and intersects others', () => {
  const spans = [
    { from: 10, to: 20 },
    { from: 21, to: 30 },
    { from: 5, to: 4 },
    { from: 40, to: 50 },
    { from: 45, to: 46 },
  ];
  const joined = [
    { from: 10, to: 30 },
    { from: 40, to: 50 },
  ];
  assert.deepEqual(union(spans), joined);
  assert.deepEqual(intersection(joined, [{ from: 30, to: 40 }]), [
    { from: 30, to: 30 },
    { from: 40, to: 40 },
  ]);
  assert.deepEqual(intersection(joined, [{ from: 31, to: 39 }]), []);
});

it('reaches what every shard reaches, and not before the archive began', () => {
  const chains = [chain('a', 's1', 50, 200), chain('b', 's2', 110, 180)];
  assert.deepEqual(windowOf([layout(100, ['s1', 's2'])], chains), [{ from: 110, to: 180 }]);
  assert.deepEqual(windowOf([layout(120, ['s1', 's2'])], chains), [{ from: 120, to: 180 }]);
  assert.deepEqual(windowOf([layout(100, ['s1', 's2', 's3'])], chains), []);
  assert.deepEqual(windowOf([], chains), []);
  const empty = { name: 's3', slots: [] };
  const withEmpty = layout(100, [], { shards: [...layout(0, ['s1', 's2']).shards, empty] });
  assert.deepEqual(windowOf([withEmpty], chains), [{ from: 110, to: 180 }], 'a shard without slots needs no chain');
});

it('joins chains of a shard, with a gap where none reaches', () => {
  const chains = [chain('a', 's1', 100, 200), chain('b', 's1', 150, 300), chain('c', 's1', 310, 400)];
  assert.deepEqual(windowOf([layout(0, ['s1'])], chains), [
    { from: 100, to: 300 },
    { from: 310, to: 400 },
  ]);
  assert.deepEqual(windowOf([layout(0, ['s1'])], [chain('new', 's1', 100, 0)]), []);
});

it('leaves out the time in which slots were on their way', () => {
  const chains = [chain('a', 's1', 0, 1_000), chain('b', 's2', 0, 1_000), chain('c', 's3', 350, 1_000)];
  const layouts = [
    layout(10, ['s1', 's2']),
    layout(300, [], { isMoving: true, previousUntil: 290 }),
    layout(400, ['s1', 's2', 's3'], { previousUntil: 300 }),
  ];
  const window = windowOf(layouts, chains);
  assert.deepEqual(window, [
    { from: 10, to: 290 },
    { from: 400, to: 1_000 },
  ]);
  assert.deepEqual(
    [9, 10, 290, 291, 399, 400, 1_001].map((at) => isWithin(window, at)),
    [false, true, true, false, false, true, false],
  );
});

it('takes the chain of who was primary then', () => {
  // Node b was a replica with a log of its own before it became the primary at 200.
  const chains = [chain('a', 's1', 0, 190, 0), chain('b', 's1', 50, 400, 205)];
  const idAt = (at: number) => chainAt(chains, 's1', at)?.id ?? null;
  assert.deepEqual([10, 100, 190, 191, 204, 205, 400, 401].map(idAt), ['a', 'a', 'a', 'b', 'b', 'b', 'b', null]);
  assert.equal(chainAt(chains, 's2', 100), null);
});

it('lets go of what ended before, but not of what grows', () => {
  const chains = [chain('a', 's1', 0, 99), chain('b', 's1', 90, 100), chain('c', 's1', 95, 0), chain('d', 's1', 0, 0)];
  assert.deepEqual(
    beyondDays(chains, new Set(['d']), 100).map(({ id }) => id),
    ['a', 'c'],
  );
});
