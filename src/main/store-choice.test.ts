import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { StoreOptions } from '../cli/process-options.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { etcdOptionsOf } from './store-choice.ts';

const dir = mkdtempSync(join(tmpdir(), 'valkeeper-choice-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(dir, name), text);
  return join(dir, name);
};

test('without --store it is the embedded one', () => {
  assert.equal(etcdOptionsOf({}), null);
});

test('members, prefix, TLS and user', () => {
  assert.deepEqual(etcdOptionsOf({ store: 'etcd://10.0.0.1:2379,[::1]:2380/fleet-1' }), {
    urls: ['http://10.0.0.1:2379', 'http://[::1]:2380'],
    prefix: 'fleet-1',
  });
  const options = {
    store: 'etcds://a.example:2379/f',
    storeCa: file('ca.pem', 'ca'),
    storeCert: file('cert.pem', 'cert'),
    storeKey: file('key.pem', 'key'),
    storeUserFile: file('user', 'valkeeper:with:colons\n'),
  };
  assert.deepEqual(etcdOptionsOf(options), {
    urls: ['https://a.example:2379'],
    prefix: 'f',
    tls: { ca: 'ca', cert: 'cert', key: 'key' },
    user: { name: 'valkeeper', password: 'with:colons' },
  });
});

const wrong: [what: string, options: () => StoreOptions, words: RegExp][] = [
  ['no prefix', () => ({ store: 'etcd://a:2379' }), /names no etcd and prefix/],
  ['another scheme', () => ({ store: 'http://a:2379/f' }), /names no etcd and prefix/],
  ['no port', () => ({ store: 'etcd://a:1,b/f' }), /b is not HOST:PORT/],
  ['TLS files without TLS', () => ({ store: 'etcd://a:1/f', storeCa: 'x' }), /--store-ca: is for TLS/],
  ['a certificate without key', () => ({ store: 'etcds://a:1/f', storeCert: 'x' }), /--store-cert: and --store-key/],
  ['files without a store', () => ({ storeUserFile: 'x' }), /--store-user-file: is for an etcd/],
  ['a user file without password', () => ({ store: 'etcd://a:1/f', storeUserFile: file('u', 'me') }), /NAME:PASSWORD/],
  [
    'a file that is not there',
    () => ({ store: 'etcds://a:1/f', storeCa: join(dir, 'no') }),
    /Cannot read .*no: ENOENT/,
  ],
];

for (const [what, options, words] of wrong) {
  test(`refused: ${what}`, () => {
    assert.throws(
      () => etcdOptionsOf(options()),
      (error) => error instanceof ValkeeperError && words.test(error.message),
    );
  });
}
