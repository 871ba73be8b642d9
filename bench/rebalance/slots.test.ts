import assert from 'node:assert/strict';
import { it } from 'node:test';
import { agreed, isSame, isSpread, movedSlots, type Owned, ownedIn, ownersIn, placedAt, type Told } from './slots.ts';

const owned = (...ranges: [from: number, to: number, id: string][]): Owned[] =>
  ranges.map(([from, to, id]) => ({ from, to, id, host: 'h', port: 1 }));
const BEFORE = owned([0, 8_191, 'a'], [8_192, 16_383, 'b']);
const HALFWAY = owned([0, 8_191, 'a'], [8_192, 12_287, 'b'], [12_288, 16_383, 'c']);
const AFTER = owned([0, 8_191, 'a'], [8_192, 16_383, 'c']);
const told = (id: string, ...sights: [at: number, owned: readonly Owned[]][]): Told => ({
  id,
  sights: sights.map(([at, view]) => ({ at, owned: view })),
});

it('reads who owns what, without the replicas', () => {
  const answer = [
    [0, 99, ['h', 1, 'a', []], ['h', 2, 'replica of a', []]],
    [100, 100, ['h', 3, 'b', []]],
  ];
  assert.deepEqual(ownedIn(answer), [
    { from: 0, to: 99, id: 'a', host: 'h', port: 1 },
    { from: 100, to: 100, id: 'b', host: 'h', port: 3 },
  ]);
  assert.deepEqual(
    ownersIn(HALFWAY).map(({ id, slots }) => [id, slots]),
    [
      ['a', 8_192],
      ['b', 4_096],
      ['c', 4_096],
    ],
  );
});

it('the last slot is placed when all who stay tell so; who gave all away is not asked', () => {
  const a = told('a', [1, BEFORE], [20, HALFWAY], [35, AFTER]);
  const b = told('b', [1, BEFORE], [18, HALFWAY], [30, AFTER], [90, []]); // reset
  const c = told('c', [1, BEFORE], [19, HALFWAY], [40, AFTER]);
  assert.equal(placedAt([a, b, c]), 40);
  assert.ok(isSame(agreed([a, b, c])!, AFTER));
  const late = told('a', [1, BEFORE], [20, HALFWAY]);
  assert.equal(agreed([late, b, c]), null);
  assert.throws(() => placedAt([late, b, c]), /do not agree/);
  assert.equal(agreed([told('a', [1, []])]), null);
});

it('counts the slots that have another owner', () => {
  assert.equal(movedSlots(BEFORE, HALFWAY), 4_096);
  assert.equal(movedSlots(BEFORE, AFTER), 8_192);
  assert.equal(movedSlots(AFTER, AFTER), 0);
});

it('knows whether slots are spread over so many, all of them', () => {
  assert.ok(isSpread(BEFORE, 2));
  assert.ok(!isSpread(BEFORE, 3));
  assert.ok(!isSpread(HALFWAY, 3));
  assert.ok(isSpread(owned([0, 8_000, 'a'], [8_001, 16_383, 'b']), 2));
  assert.ok(!isSpread(owned([0, 7_000, 'a'], [7_001, 16_383, 'b']), 2));
  assert.ok(!isSpread(owned([0, 8_191, 'a'], [8_192, 16_382, 'b']), 2));
});
