import assert from 'node:assert/strict';
import { test } from 'node:test';
import { table } from './table.ts';

test('columns are as wide as their widest cell, and lines end with their last word', () => {
  assert.equal(
    table(
      ['A', 'LONGER'],
      [
        ['wide cell', 'x'],
        ['b', ''],
      ],
    ),
    'A          LONGER\nwide cell  x\nb',
  );
});
