/** Who gets into a real etcd, and what is said to who does not. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeAuthority } from '../../test/support/certificates.ts';
import { valkeeperError } from '../../test/support/errors.ts';
import { type Etcd, sharedEtcd, startEtcd } from '../../test/support/etcd.ts';
import { delivered } from '../../test/support/store-delivered.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { type EtcdOptions, openEtcdStore } from './etcd.ts';
import type { Store } from './store.ts';

const shared = sharedEtcd();
const QUICK = { silenceMs: 300, giveUpMs: 300 };

async function opened(t: TestContext, options: EtcdOptions): Promise<Store> {
  const store = await openEtcdStore(options);
  t.after(() => store.close());
  return store;
}

/** Reads, writes, watches, leases. */
async function use(store: Store): Promise<void> {
  const lease = await store.grantLease(60_000);
  assert.ok((await store.commit([{ put: 'a', value: 1, lease: lease.id }])).ok);
  assert.ok(await store.keepLease(lease.id));
  await delivered(store);
  assert.equal((await store.list('')).length, 1);
  await store.revokeLease(lease.id);
  assert.equal(await store.get('a'), null);
}

test('fleets with different prefixes share an etcd and see nothing of each other', async (t) => {
  const { urls } = shared.etcd;
  const [a, b, ab] = await Promise.all(['a', 'b', 'a-b'].map((prefix) => opened(t, { urls, prefix })));
  const heard: string[] = [];
  a!.watch('', ({ key }) => heard.push(key));
  const base = await a!.revision();
  await b!.commit([{ put: 'x', value: 'b' }]);
  await ab!.commit([{ put: 'x', value: 'a-b' }]);
  const done = await a!.commit([{ put: 'x', value: 'a', expect: 'absent' }]);
  assert.deepEqual(done, { ok: true, revision: base + 3 }, 'revisions are those of etcd');
  assert.deepEqual(await a!.list(''), [{ key: 'x', value: 'a', revision: base + 3 }]);
  await b!.commit([{ delete: 'x' }]);
  await delivered(a!);
  assert.equal((await ab!.get('x'))?.value, 'a-b');
  assert.equal(heard[0], 'x');
  assert.equal(heard.filter((key) => key === 'x').length, 1);
});

test('what cannot be meant is refused before anybody is asked', async () => {
  const refused: [EtcdOptions, RegExp][] = [
    [{ urls: [] }, /0 URLs/],
    [{ urls: Array.from({ length: 17 }, () => 'http://127.0.0.1:1') }, /17 URLs/],
    [{ urls: ['127.0.0.1:2379'] }, /127\.0\.0\.1:2379 cannot be used/],
    [{ urls: ['ftp://127.0.0.1'] }, /ftp/],
    [{ urls: ['http://127.0.0.1:1/v3'] }, /\/v3/],
    [{ urls: ['http://u:p@127.0.0.1:1'] }, /cannot be used/],
    [{ urls: ['http://127.0.0.1:1'], prefix: '' }, /prefix/],
    [{ urls: ['http://127.0.0.1:1'], prefix: 'a/b' }, /a\/b cannot be used/],
    [{ urls: ['http://127.0.0.1:1'], prefix: 'x'.repeat(65) }, /prefix/],
  ];
  for (const [options, message] of refused) {
    await assert.rejects(openEtcdStore(options), valkeeperError('invalid_value', message));
  }
});

test('an address without an etcd is said to be one', async (t) => {
  const server = createServer((_request, response) => response.end('<html>')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const urls = [`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'http://127.0.0.1:1'];
  await assert.rejects(
    openEtcdStore({ urls, ...QUICK }),
    valkeeperError(
      'store_unreachable',
      /does not answer as etcd does \(HTTP 200\); http:\/\/127\.0\.0\.1:1: .*REFUSED/,
    ),
  );
  // One that is an etcd is enough.
  await use(await opened(t, { urls: [...urls, ...shared.etcd.urls], prefix: 'third' }));
});

test('TLS in both directions', async (t) => {
  const dir = tempDir(t);
  const authority = await makeAuthority(dir);
  const stranger = await makeAuthority(dir, 'stranger');
  const server = await authority.sign('server');
  const client = await authority.sign('client');
  const theirs = await stranger.sign('theirs');
  const { urls } = await startEtcd(t, { tls: { ca: authority.ca, clientCa: authority.ca, ...server } });
  const pem = (path: string): string => readFileSync(path, 'utf8');
  const tls = { ca: pem(authority.ca), cert: pem(client.cert), key: pem(client.key) };
  const store = await opened(t, { urls, tls });
  await use(store);
  await store.close();

  const unreachable = (message: RegExp) => valkeeperError('store_unreachable', message);
  await assert.rejects(openEtcdStore({ urls, ...QUICK }), unreachable(/certificate/));
  await assert.rejects(openEtcdStore({ urls, ...QUICK, tls: { ca: tls.ca } }), unreachable(/certificate|alert|reset/i));
  const foreign = { ca: tls.ca, cert: pem(theirs.cert), key: pem(theirs.key) };
  await assert.rejects(openEtcdStore({ urls, ...QUICK, tls: foreign }), unreachable(/certificate|alert|reset/i));
  const plain = urls.map((url) => url.replace('https:', 'http:'));
  await assert.rejects(openEtcdStore({ urls: plain, ...QUICK }), unreachable(/HTTP 400|reset|hang up/));
  const mangled = { ...tls, key: 'no key' };
  await assert.rejects(openEtcdStore({ urls, tls: mangled }), valkeeperError('invalid_value', /tls/));
});

async function addUsers({ ask }: Etcd): Promise<void> {
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  await ask('/v3/auth/role/add', { name: 'root' });
  await ask('/v3/auth/role/add', { name: 'fleet' });
  const range = { key: base64('guarded/'), range_end: base64('guarded0') };
  await ask('/v3/auth/role/grant', { name: 'fleet', perm: { permType: 'READWRITE', ...range } });
  for (const [name, role] of [
    ['root', 'root'],
    ['keeper', 'fleet'],
  ] as const) {
    await ask('/v3/auth/user/add', { name, password: `${name}'s` });
    await ask('/v3/auth/user/grant', { user: name, role });
  }
  const done = await ask('/v3/auth/enable', {});
  assert.equal(done['error'], undefined);
}

test('users: the right one is let in, again after etcd has forgotten it; others are told', async (t) => {
  const etcd = await startEtcd(t, { members: 3, args: ['--bcrypt-cost', '4'] });
  const leader = await etcd.leader();
  const [one, two] = etcd.members.filter((member) => member !== leader);
  await addUsers(etcd);
  const urls = [one!.url, two!.url, leader.url];
  const user = { name: 'keeper', password: "keeper's" };
  const store = await opened(t, { urls, prefix: 'guarded', user });
  await use(store);
  const heard: string[] = [];
  store.watch('b', ({ key }) => heard.push(key));
  // A member that starts again has forgotten who was let in, but for what it has not written down yet, each 100 ms.
  // The store comes to it when the other one is gone.
  await sleep(300);
  await use(store);
  await sleep(300);
  await two!.kill();
  await two!.start();
  await one!.kill();
  assert.equal(await store.get('a'), null);
  await use(store);
  await store.commit([{ put: 'b', value: 1 }]);
  await delivered(store);
  assert.deepEqual(heard, ['b']);
  await store.close();

  const unusable = (message: RegExp) => valkeeperError('store_unusable', message);
  await assert.rejects(openEtcdStore({ urls, prefix: 'guarded' }), unusable(/user name is empty/));
  const wrong = { name: 'keeper', password: 'guessed' };
  await assert.rejects(openEtcdStore({ urls, user: wrong }), unusable(/authentication failed/));
  await assert.rejects(openEtcdStore({ urls, prefix: 'other', user }), unusable(/permission denied/));
  await assert.rejects(openEtcdStore({ urls: shared.etcd.urls, user }), unusable(/authentication is not enabled/));
});

test('an etcd that is full refuses changes, goes on reading, and takes changes again once there is room', async (t) => {
  const etcd = await startEtcd(t, { args: ['--quota-backend-bytes', String(4 * 1024 ** 2)] });
  const store = await opened(t, { urls: etcd.urls });
  const fill = async () => {
    for (let n = 0; n < 20; n += 1) await store.commit([{ put: 'big', value: 'x'.repeat(1_000_000) }]);
  };
  await assert.rejects(fill(), valkeeperError('store_unusable', /database space exceeded/));
  const entry = await store.get<string>('big');
  assert.equal(entry?.value.length, 1_000_000);
  await etcd.ask('/v3/kv/compaction', { revision: String(await store.revision()), physical: true });
  await etcd.ask('/v3/maintenance/defragment', {});
  const { alarms } = (await etcd.ask('/v3/maintenance/alarm', {})) as { alarms: object[] };
  for (const alarm of alarms) await etcd.ask('/v3/maintenance/alarm', { ...alarm, action: 'DEACTIVATE' });
  assert.ok((await store.commit([{ put: 'big', value: 'small', expect: entry!.revision }])).ok);
  await store.close();
});
