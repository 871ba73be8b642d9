import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isEmptyRdb } from './rdb-empty.ts';

/** The auxiliary fields as Valkey 9.1.2 writes them into a snapshot of nothing. */
const HEADER = Buffer.concat([
  Buffer.from('VALKEY080'),
  Buffer.from([0xfa, 10]),
  Buffer.from('valkey-ver'),
  Buffer.from([5]),
  Buffer.from('9.1.2'),
  Buffer.from([0xfa, 10]),
  Buffer.from('redis-bits'),
  Buffer.from([0xc0, 0x40, 0xfa, 5]),
  Buffer.from('ctime'),
  Buffer.from([0xc2, 0x2f, 0xe5, 0x04, 0x6b, 0xfa, 8]),
  Buffer.from('aof-base'),
  Buffer.from([0xc1, 1, 0]),
]);
const CHECKSUM = Buffer.alloc(8, 1);
const rdb = (...body: number[]): Buffer => Buffer.concat([HEADER, Buffer.from(body), CHECKSUM]);

test('a header and the end are nothing', () => {
  assert.ok(isEmptyRdb(rdb(0xff)));
});

test('a database, a function and what is not understood are something', () => {
  const SELECT_DB = 0xfe;
  const FUNCTION = 0xf5;
  for (const body of [[SELECT_DB, 0], [FUNCTION, 1], [0x00], [0xfa, 0xc3, 1]]) assert.ok(!isEmptyRdb(rdb(...body)));
});

test('a file cut anywhere counts as something, even just before its end', () => {
  const whole = rdb(0xff);
  const end = HEADER.length;
  for (let length = 0; length <= end; length += 1) assert.ok(!isEmptyRdb(whole.subarray(0, length)), `${length} bytes`);
});
