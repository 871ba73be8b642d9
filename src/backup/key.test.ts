import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KEY } from '../../test/support/backup-parts.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { checkKeyId, deriveKey, keyIdOf, loadKey } from './key.ts';

const HEX = KEY.toString('hex');
/** Whose base64 has both characters in which the alphabets differ, and padding. */
const ODD = Buffer.concat([Buffer.from([0xfb, 0xff, 0xbf]), KEY.subarray(3)]);

function keyFile(t: TestContext, content: string | Buffer, mode = 0o600): string {
  const path = join(tempDir(t), 'key');
  writeFileSync(path, content);
  chmodSync(path, mode);
  return path;
}

const fromFile = (file: string): Promise<Buffer | null> => loadKey({ file, env: {} });
const fromVariable = (value: string): Promise<Buffer | null> =>
  loadKey({ file: undefined, env: { VALKEEPER_BACKUP_KEY: value } });

describe('a key', () => {
  const TEXTS: [name: string, text: string, key: Buffer][] = [
    ['hexadecimal digits', HEX, KEY],
    ['hexadecimal digits in upper case', HEX.toUpperCase(), KEY],
    ['base64', ODD.toString('base64'), ODD],
    ['base64 without padding', ODD.toString('base64').replace('=', ''), ODD],
    ['base64url', ODD.toString('base64url'), ODD],
    ['white space around it', ` \t${HEX}\r\n\n`, KEY],
  ];
  for (const [name, text, key] of TEXTS) {
    it(`is read from a file and from the environment: ${name}`, async (t) => {
      assert.deepEqual(await fromFile(keyFile(t, text)), key);
      assert.deepEqual(await fromVariable(text), key);
    });
  }

  it('is read from a file as 32 bytes, though they begin and end like white space', async (t) => {
    const raw = Buffer.concat([Buffer.from(' \n'), KEY.subarray(2, 30), Buffer.from('\r\n')]);
    assert.deepEqual(await fromFile(keyFile(t, raw, 0o400)), raw);
  });

  it('is not there when none is named', async () => {
    assert.equal(await loadKey({ file: undefined, env: {} }), null);
  });

  it('of a named file goes before that of the environment', async (t) => {
    const file = keyFile(t, ODD);
    assert.deepEqual(await loadKey({ file, env: { VALKEEPER_BACKUP_KEY: HEX } }), ODD);
  });

  const NONE: [name: string, content: string][] = [
    ['a digit too few', HEX.slice(1)],
    ['a digit too many', `${HEX}0`],
    ['a shorter key in digits', HEX.slice(0, 32)],
    ['a password', 'correct horse battery staple....'],
    ['base64 of 31 bytes', KEY.subarray(1).toString('base64')],
    ['base64 with bits over', `${ODD.toString('base64').slice(0, -2)}9=`],
    ['base64 with something between', ODD.toString('base64').replace('A', '*A')],
    ['two keys', `${HEX}\n${HEX}`],
    ['very much', HEX.repeat(1000)],
  ];
  for (const [name, content] of NONE) {
    it(`is refused: ${name}`, async (t) => {
      await assert.rejects(fromFile(keyFile(t, content)), valkeeperError('backup_key_invalid', /must hold 32 bytes/));
      await assert.rejects(fromVariable(content), valkeeperError('backup_key_invalid', /must be 64 hexadecimal/));
    });
  }

  it('is refused when the file is empty, or the variable, which is not unset', async (t) => {
    await assert.rejects(fromFile(keyFile(t, '')), valkeeperError('backup_key_invalid', /it has 0 bytes/));
    await assert.rejects(fromVariable(' '), valkeeperError('backup_key_invalid', /it is empty/));
  });

  it('is refused when all its bytes are the same', async (t) => {
    await assert.rejects(fromFile(keyFile(t, Buffer.alloc(32))), valkeeperError('backup_key_invalid', /the same/));
    await assert.rejects(fromVariable('f'.repeat(64)), valkeeperError('backup_key_invalid', /the same/));
  });

  it('is never part of what is said about it', async () => {
    const almost = HEX.slice(1);
    const error = (await fromVariable(almost).catch((cause: unknown) => cause)) as Error & { hint: string };
    assert.ok(!`${error.message} ${error.hint}`.includes(almost.slice(0, 8)));
  });
});

describe('a key file', () => {
  for (const mode of [0o640, 0o604, 0o620, 0o666]) {
    it(`of mode ${mode.toString(8)} is refused, with the way to mend it`, async (t) => {
      const path = keyFile(t, HEX, mode);
      await assert.rejects(fromFile(path), (error: { hint: string }) => {
        assert.equal(error.hint, `Run \`chmod 600 ${path}\`.`);
        return valkeeperError('backup_key_invalid', /others than its owner/)(error);
      });
    });
  }

  it('is refused when it is not there, or no file', async (t) => {
    const dir = tempDir(t);
    mkdirSync(join(dir, 'folder'), { mode: 0o700 });
    await assert.rejects(fromFile(join(dir, 'none')), valkeeperError('backup_key_invalid', /no such file/));
    await assert.rejects(fromFile(join(dir, 'folder')), valkeeperError('backup_key_invalid', /no regular file/));
  });

  it('may be named by a link', async (t) => {
    const path = keyFile(t, HEX);
    symlinkSync(path, `${path}-link`);
    assert.deepEqual(await fromFile(`${path}-link`), KEY);
  });
});

describe('a key id', () => {
  it('stays the same for a key for ever', () => assert.equal(keyIdOf(KEY), 'cc324f61'));

  it('tells keys apart', () => {
    assert.notEqual(keyIdOf(KEY), keyIdOf(ODD));
    assert.throws(() => checkKeyId(ODD, keyIdOf(KEY)), valkeeperError('backup_key_wrong'));
    checkKeyId(KEY, keyIdOf(KEY));
  });

  it('is no part of the key, and derived keys differ by purpose and salt', () => {
    assert.ok(!HEX.includes(keyIdOf(KEY)));
    const salt = Buffer.alloc(32, 1);
    const derived = [deriveKey(KEY, salt, 'a'), deriveKey(KEY, salt, 'b'), deriveKey(KEY, Buffer.alloc(32), 'a'), KEY];
    assert.equal(new Set(derived.map((one) => one.toString('hex'))).size, 4);
  });
});
