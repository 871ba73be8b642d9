import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { earlierResults } from './earlier.ts';

it('reads runs from their folders, the last for each row and system, in the order of the table', (t) => {
  const dir = tempDir(t);
  const folder = (name: string, ...rows: object[]): string => {
    mkdirSync(join(dir, name));
    writeFileSync(join(dir, name, 'repetitions.jsonl'), `${rows.map((row) => JSON.stringify(row)).join('\n')}\n`);
    return join(dir, name);
  };
  const one = folder(
    'one',
    { row: 'kill-1', system: 'Valkeeper', number: 0 },
    { row: 'kill-3', system: 'X', number: 0 },
  );
  const two = folder(
    'two',
    { row: 'kill-1', system: 'Valkeeper', number: 1 },
    { row: 'kill-1', system: 'Valkeeper', number: 2 },
  );
  const found = earlierResults([one, two]);
  assert.deepEqual(
    found.map(({ row, system, repetitions }) => [row.id, system, repetitions.map(({ number }) => number)]),
    [
      ['kill-3', 'X', [0]],
      ['kill-1', 'Valkeeper', [1, 2]],
    ],
  );
  assert.throws(() => earlierResults([folder('three', { row: 'gone', system: 'X', number: 0 })]), /a row gone/);
});
