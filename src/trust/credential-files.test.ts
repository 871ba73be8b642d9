import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { machine, testAuthority, writeTlsFiles } from '../../test/support/trust.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { MachineCredentials } from './credential-files.ts';

const unusable = (path: string, problem: RegExp) => (error: unknown) =>
  error instanceof ValkeeperError &&
  error.code === 'credentials_unusable' &&
  error.message.includes(path) &&
  problem.test(error.message);

it('what was written is read, and the same object stays until the files hold others', async (t) => {
  const authority = await testAuthority();
  const dir = tempDir(t);
  const first = await authority.credentials(machine('alpha'));
  const credentials = new MachineCredentials(writeTlsFiles(dir, first));
  const { current } = credentials;
  assert.deepEqual(
    [current.key.trim(), current.certificate.trim(), current.bundle.map((pem) => pem.trim())],
    [first.key.trim(), first.certificate.trim(), first.bundle.map((pem) => pem.trim())],
  );
  assert.equal(credentials.reload(), false);
  assert.equal(credentials.current, current);
  const second = await authority.credentials(machine('alpha'));
  writeTlsFiles(dir, second);
  assert.equal(credentials.reload(), true);
  assert.equal(credentials.current.certificate.trim(), second.certificate.trim());
});

it('files that cannot be used are named, and those of before stay', async (t) => {
  const authority = await testAuthority();
  const dir = tempDir(t);
  const [one, other] = [await authority.credentials(machine('alpha')), await authority.credentials(machine('alpha'))];
  const files = writeTlsFiles(dir, one);
  const credentials = new MachineCredentials(files);
  const { current } = credentials;
  for (const [text, problem] of [
    ['', /no private key/],
    [one.key, /no certificate/],
    [`${other.key}${one.certificate}`, /mismatch/],
  ] as const) {
    writeFileSync(files.identity, text);
    assert.throws(() => credentials.reload(), unusable(files.identity, problem));
    assert.equal(credentials.current, current);
  }
  writeTlsFiles(dir, one);
  writeFileSync(files.authorities, 'nonsense');
  assert.throws(() => credentials.reload(), unusable(files.authorities, /no certificate/));
  rmSync(files.authorities);
  assert.throws(() => new MachineCredentials(files), unusable(join(dir, 'authorities.pem'), /no such file/));
});
