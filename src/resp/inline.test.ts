import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { splitInline } from './inline.ts';

const words = (line: string): string[] | null =>
  splitInline(Buffer.from(line, 'latin1'))?.map((word) => word.toString('latin1')) ?? null;

const VECTORS: [line: string, words: string[] | null][] = [
  ['', []],
  [' \t ', []],
  ['PING', ['PING']],
  ['  set  a\tb ', ['set', 'a', 'b']],
  ['"a b" c', ['a b', 'c']],
  ['""', ['']],
  ["''", ['']],
  ['"a"b', ['ab']],
  ['a"b c"d', ['ab cd']],
  ["a'b c'd", ['ab cd']],
  ['"\\x41\\x0a\\xfF"', ['A\n\xff']],
  ['"\\x4"', ['x4']],
  ['"\\xg1"', ['xg1']],
  ['"\\n\\r\\t\\b\\a\\q\\"\\\\"', ['\n\r\t\b\x07q"\\']],
  ["'\\n\\''", ["\\n'"]],
  ['\\n', ['\\n']],
  ['a\vb\fc', ['a\vb\fc']],
  ['\va', ['a']],
  ['"', null],
  ["'", null],
  ['"a\\"', null],
  ["'a\\'", null],
  ['"a\\', null],
  ['a "b', null],
];

describe('words of a line', () => {
  for (const [line, expected] of VECTORS) {
    it(JSON.stringify(line), () => assert.deepEqual(words(line), expected));
  }

  it('finds what was quoted, of any bytes', () => {
    const quoted = (bytes: Uint8Array): string =>
      `"${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`;
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 6 }), (list) => {
        const expected = list.map((bytes) => Buffer.from(bytes).toString('latin1'));
        assert.deepEqual(words(list.map(quoted).join(' ')), expected);
      }),
    );
  });

  it('takes any bytes, and never gives more bytes than it was given', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const found = splitInline(Buffer.from(bytes));
        const length = (found ?? []).reduce((sum, word) => sum + word.length, 0);
        assert.ok(length <= bytes.length);
      }),
      { numRuns: 1_000 },
    );
  });
});
