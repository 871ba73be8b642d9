/** What becomes of commits whose request or answer is lost, late, or doubled on the way to a real etcd. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { sharedEtcd } from '../../test/support/etcd.ts';
import { Relay } from '../../test/support/relay.ts';
import { type EtcdOptions, openEtcdStore } from './etcd.ts';
import type { Op } from './store.ts';

const TXN = '/v3/kv/txn';
const shared = sharedEtcd();
let opened = 0;

/** A store whose first way to etcd leads through a relay, and another of the same fleet that has its own way. */
async function storesOf(
  t: TestContext,
  { direct = false, ...options }: Partial<EtcdOptions> & { direct?: boolean } = {},
) {
  const [target = ''] = shared.etcd.urls;
  const relay = await Relay.start(target);
  opened += 1;
  const prefix = `writer-${opened}`;
  const urls = direct ? [relay.url, target] : [relay.url];
  const store = await openEtcdStore({ urls, prefix, silenceMs: 300, ...options });
  const other = await openEtcdStore({ urls: [target], prefix });
  t.after(async () => {
    await Promise.all([store.close(), other.close()]);
    relay.cut();
  });
  return { relay, store, other, prefix };
}

test('a commit whose answer is lost is made once and answered', async (t) => {
  const { relay, store, other } = await storesOf(t);
  const commit = async (lost: number, op: Op) => {
    relay.loseAnswers(TXN, lost);
    return store.commit([op]);
  };
  const base = await other.revision();
  assert.deepEqual(await commit(1, { put: 'a', value: 1, expect: 'absent' }), { ok: true, revision: base + 1 });
  assert.deepEqual(await commit(2, { put: 'a', value: 2 }), { ok: true, revision: base + 2 });
  assert.deepEqual(await commit(1, { put: 'a', value: 3, expect: 'absent' }), {
    ok: false,
    conflict: 'a',
    actual: base + 2,
  });
  assert.deepEqual(await commit(1, { check: 'a', expect: base + 2 }), { ok: true, revision: base + 2 });
  assert.deepEqual(await commit(2, { delete: 'a' }), { ok: true, revision: base + 3 });
  assert.deepEqual(await commit(2, { delete: 'a' }), { ok: true, revision: base + 3 });
  assert.deepEqual(await other.list(''), []);
  assert.equal(await other.revision(), base + 3);
});

test('a request that comes late, after it was sent again to another member, changes nothing', async (t) => {
  const { relay, store, other } = await storesOf(t, { direct: true });
  const base = await other.revision();
  relay.hold(TXN);
  assert.deepEqual(await store.commit([{ put: 'a', value: 1 }]), { ok: true, revision: base + 1 });
  await relay.release();
  assert.deepEqual(await other.list(''), [{ key: 'a', value: 1, revision: base + 1 }]);
  await other.commit([{ delete: 'a' }]);
  assert.deepEqual(await store.commit([{ put: 'b', value: 1 }]), { ok: true, revision: base + 3 });
  assert.deepEqual(await other.list(''), [{ key: 'b', value: 1, revision: base + 3 }]);
});

test('a commit of unknown outcome is said to be one, and is not made any more once a later one was', async (t) => {
  const { relay, store, other } = await storesOf(t, { giveUpMs: 700 });
  const base = await other.revision();
  await store.commit([{ put: 'a', value: 0 }]);
  relay.hold(TXN);
  await assert.rejects(store.commit([{ put: 'a', value: 1 }]), valkeeperError('store_outcome_unknown', /silent/));
  relay.holdNoMore();
  assert.deepEqual(await store.commit([{ put: 'b', value: 1 }]), { ok: true, revision: base + 2 });
  await relay.release();
  assert.equal((await other.get('a'))?.value, 0);
  assert.equal(await other.revision(), base + 2);

  relay.loseAnswers(TXN, 1000);
  await assert.rejects(store.commit([{ put: 'a', value: 2 }]), valkeeperError('store_outcome_unknown'));
  relay.loseAnswers(TXN, 0);
  assert.equal((await other.get('a'))?.value, 2, 'this one was made');
  assert.deepEqual(await store.commit([{ put: 'a', value: 3, expect: base + 3 }]), { ok: true, revision: base + 4 });
  assert.equal(await other.revision(), base + 4);
});

test('what never reached etcd is said to be unreachable, and nothing was changed', async (t) => {
  const { relay, store, other } = await storesOf(t, { giveUpMs: 200 });
  const lease = await store.grantLease(60_000);
  const base = await other.revision();
  relay.cut();
  const unreachable = valkeeperError('store_unreachable', new RegExp(`${relay.url}.*ECONNREFUSED`));
  const commit: Op[] = [{ put: 'a', value: 1 }];
  await Promise.all([
    assert.rejects(store.get('a'), unreachable),
    assert.rejects(store.list(''), unreachable),
    assert.rejects(store.commit(commit), unreachable),
    assert.rejects(store.revision(), unreachable),
    assert.rejects(store.grantLease(60_000), unreachable),
    assert.rejects(store.keepLease(lease.id), unreachable),
    assert.rejects(store.revokeLease(lease.id), unreachable),
  ]);
  assert.equal(await other.revision(), base);
  await relay.restore();
  assert.deepEqual(await store.commit(commit), { ok: true, revision: base + 1 });
  assert.ok(await store.keepLease(lease.id));
});

test('commits wait for etcd to return, and keep the order of their calls', async (t) => {
  const { relay, store, other } = await storesOf(t);
  await store.commit([{ put: 'log', value: 'x' }]);
  const base = await other.revision();
  relay.cut();
  const commits = ['a', 'b', 'c'].map((key) =>
    store.commit([
      { put: key, value: 0 },
      { put: 'log', value: key },
    ]),
  );
  await relay.restore();
  assert.deepEqual(
    await Promise.all(commits),
    [1, 2, 3].map((n) => ({ ok: true, revision: base + n })),
  );
  assert.equal((await other.get('log'))?.value, 'c');
});

test('two writers race for the same keys without harm to either', async (t) => {
  const { relay, store, other } = await storesOf(t);
  const increments = async (through: typeof store, times: number) => {
    for (let done = 0; done < times; ) {
      const entry = await through.get<number>('n');
      const op: Op = { put: 'n', value: (entry?.value ?? 0) + 1, expect: entry?.revision ?? 'absent' };
      if (done % 5 === 0 && through === store) relay.loseAnswers(TXN, 1);
      if ((await through.commit([op])).ok) done += 1;
    }
  };
  await Promise.all([increments(store, 30), increments(other, 30)]);
  assert.equal((await other.get('n'))?.value, 60);
});

test('what tells of the outcome may be deleted: commits go on, and its loss at the wrong moment is told', async (t) => {
  const { relay, store, other, prefix } = await storesOf(t, { direct: false });
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const markers = { key: base64(`${prefix}/marker/`), range_end: base64(`${prefix}/marker0`) };
  await store.commit([{ put: 'a', value: 1 }]);
  await shared.etcd.ask('/v3/kv/deleterange', markers);
  assert.ok((await store.commit([{ put: 'a', value: 2 }])).ok);

  const { leases } = (await shared.etcd.ask('/v3/lease/leases', {})) as { leases: { ID: string }[] };
  for (const { ID } of leases) await shared.etcd.ask('/v3/lease/revoke', { ID });
  assert.ok((await store.commit([{ put: 'a', value: 3 }])).ok);
  assert.equal((await other.get('a'))?.value, 3);

  relay.hold(TXN);
  const given = assert.rejects(store.commit([{ put: 'a', value: 4 }]), valkeeperError('store_outcome_unknown'));
  const deleted = await shared.etcd.ask('/v3/kv/deleterange', markers);
  assert.equal(deleted['deleted'], '1');
  relay.holdNoMore(); // the second try goes through, and finds no marker
  await given;
  await relay.release();
  assert.equal((await other.get('a'))?.value, 3);
});

test('a store that is closed leaves nothing behind but its data', async (t) => {
  const { store, other, prefix } = await storesOf(t);
  await store.commit([{ put: 'a', value: 1 }]);
  await store.close();
  await other.close();
  const key = Buffer.from(`${prefix}/`).toString('base64');
  const range_end = Buffer.from(`${prefix}0`).toString('base64');
  const { kvs } = (await shared.etcd.ask('/v3/kv/range', { key, range_end, keys_only: true })) as {
    kvs: { key: string }[];
  };
  assert.deepEqual(
    kvs.map((entry) => Buffer.from(entry.key, 'base64').toString()),
    [`${prefix}/data/a`],
  );
});
