/** Objects of an archive: each opens as it was, under its name, with its key, or not at all. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { openObject, sealObject } from './sealed-object.ts';

const KEY = Buffer.alloc(32, 'key one ');
const OTHER = Buffer.alloc(32, 'key two ');
const NAME = '_archive/main/uid/layouts/000000000050';
const RAW = Buffer.from('a line\nand what follows it, again and again, again and again');

for (const key of [null, KEY]) {
  const keys = key ? [OTHER, key] : [];
  it(`opens what it sealed, and nothing that was changed (${key ? 'with' : 'without'} a key)`, async () => {
    const stored = await sealObject(NAME, RAW, key);
    assert.deepEqual(await openObject(NAME, stored, keys), RAW);
    if (key) assert.equal(stored.includes('a line'), false);
    for (let at = 0; at < stored.length; at += 1) {
      const changed = Buffer.from(stored);
      changed[at]! ^= 1;
      await assert.rejects(openObject(NAME, changed, keys), `byte ${at}`);
    }
    for (let length = 0; length < stored.length; length += 1) {
      await assert.rejects(openObject(NAME, stored.subarray(0, length), keys), valkeeperError('backup_damaged'));
    }
    await assert.rejects(
      openObject(NAME, Buffer.concat([stored, Buffer.from('x')]), keys),
      valkeeperError('backup_damaged'),
    );
    await assert.rejects(openObject(NAME.replace('50', '51'), stored, keys), valkeeperError('backup_damaged'));
    assert.deepEqual(await openObject(NAME, await sealObject(NAME, Buffer.alloc(0), key), keys), Buffer.alloc(0));
  });
}

it('says of an encrypted one which key is missing', async () => {
  const stored = await sealObject(NAME, RAW, KEY);
  await assert.rejects(openObject(NAME, stored, []), valkeeperError('backup_key_missing'));
  await assert.rejects(openObject(NAME, stored, [OTHER]), valkeeperError('backup_key_wrong'));
  const open = await sealObject(NAME, RAW, null);
  await assert.rejects(openObject(NAME, open, [KEY], true), valkeeperError('backup_damaged', /not encrypted/));
});
