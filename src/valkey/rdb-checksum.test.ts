/** The end of an RDB file. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isReadable, problemOfRdb, RdbChecksum } from './rdb-checksum.ts';

const crc = (bytes: Uint8Array): Buffer => {
  const checksum = new RdbChecksum();
  checksum.add(bytes);
  return checksum.bytes();
};

/** In pieces of this size. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; from += size) yield bytes.subarray(from, from + size);
}

const BODY = Buffer.concat([Buffer.from('VALKEY080 and what comes then'), Buffer.from([0xff])]);
const WHOLE = Buffer.concat([BODY, crc(BODY)]);

it('is that of the engine', () => {
  // The value in crc64.c's own test.
  assert.equal(crc(Buffer.from('123456789')).readBigUInt64LE(), 0xe9c6d914c4b8d9can);
});

it('tells a whole file however it comes, and one without a checksum', async () => {
  for (const size of [1, 2, 7, 8, 9, 10, 1_000]) assert.equal(await problemOfRdb(pieces(WHOLE, size)), null);
  assert.equal(await problemOfRdb(pieces(Buffer.concat([BODY, Buffer.alloc(8)]), 5)), null);
});

it('tells every cut and every changed byte', async () => {
  for (let length = 0; length < WHOLE.length; length += 1) {
    assert.notEqual(await problemOfRdb(pieces(WHOLE.subarray(0, length), 7)), null, `cut to ${length}`);
  }
  for (let at = 0; at < WHOLE.length; at += 1) {
    const changed = Buffer.from(WHOLE);
    changed[at]! ^= 0x10;
    assert.notEqual(await problemOfRdb(pieces(changed, 7)), null, `byte ${at}`);
  }
});

it('knows which versions the engine reads', () => {
  assert.deepEqual([9, 11, 12, 79, 80, 81].map(isReadable), [true, true, false, false, true, false]);
});
