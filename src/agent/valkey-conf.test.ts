import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatConf, parseConf } from './valkey-conf.ts';

test('every argument is quoted on its own', () => {
  assert.equal(
    formatConf([
      ['save', ''],
      ['client-output-buffer-limit', 'replica', '1', '0', '0'],
      ['primaryauth', 'a "b" \\n c'],
    ]),
    'save ""\nclient-output-buffer-limit "replica" "1" "0" "0"\nprimaryauth "a \\"b\\" \\\\n c"\n',
  );
});

test('no value and no name becomes another directive', () => {
  for (const bad of ['1\nport 1', '1\r2', 'a\0b']) assert.throws(() => formatConf([['maxmemory', bad]]), RangeError);
  for (const bad of ['port 1\nx', '', 'Port', '#', 'a b']) assert.throws(() => formatConf([[bad, '1']]), RangeError);
});

test('what was written is read back, the last of two lines counting', () => {
  const text = formatConf([
    ['save', '1', '2'],
    ['save', ''],
    ['primaryauth', 'a "b" \\n c'],
  ]);
  assert.deepEqual(
    [...parseConf(text)],
    [
      ['save', ''],
      ['primaryauth', 'a "b" \\n c'],
    ],
  );
});
