import assert from 'node:assert/strict';
import { it } from 'node:test';
import { columns, count, duration, percent, plural, tenths, wrap } from './words.ts';

it('writes figures as people do', () => {
  assert.deepEqual(
    [
      count(50_000),
      duration(12.4),
      duration(999.9),
      duration(1234),
      percent(0.2512),
      plural(1, 'error'),
      plural(0, 'error'),
    ],
    ['50,000', '12 ms', '1.0 s', '1.2 s', '25.1 %', '1 error', '0 errors'],
  );
  assert.equal(tenths(12.3456), 12.3);
});

it('pads columns, and sets figures to the right', () => {
  assert.deepEqual(
    columns(
      [
        ['KEYS', 'OF'],
        ['7', 'a'],
        ['\u001b[1m12345\u001b[22m', ''],
      ],
      [0],
    ),
    [' KEYS  OF', '    7  a', '\u001b[1m12345\u001b[22m'],
  );
});

it('breaks lines between words only', () => {
  assert.equal(wrap('one two three four', 9, '| '), '| one two\n| three\n| four');
  assert.equal(wrap('unbreakable a', 5), 'unbreakable\na');
});
