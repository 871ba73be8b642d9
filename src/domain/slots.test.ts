import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatSlotsBriefly, type SlotRange, withoutSlots } from './slots.ts';

test('of many ranges a table shows the largest, and how many more there are', () => {
  const few: SlotRange[] = [
    [0, 9],
    [12, 12],
    [20, 29],
  ];
  assert.equal(formatSlotsBriefly(few), '0-9, 12, 20-29');
  assert.equal(formatSlotsBriefly([...few, [40, 99]]), '0-9, 40-99 and 2 more');
});

test('slots without others, which may overlap and be in any order', () => {
  const others: SlotRange[] = [
    [15, 20],
    [3, 3],
    [18, 40],
  ];
  assert.deepEqual(
    withoutSlots(
      [
        [0, 9],
        [12, 30],
      ],
      others,
    ),
    [
      [0, 2],
      [4, 9],
      [12, 14],
    ],
  );
  assert.deepEqual(withoutSlots([[0, 9]], [[0, 9]]), []);
});
