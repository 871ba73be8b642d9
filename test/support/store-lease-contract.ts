/** What every store promises of checks and leases; a part of store-contract.ts. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Change, type Lease, type Op, STORE_LIMITS, type Store } from '../../src/store/store.ts';
import { valkeeperError } from './errors.ts';
import { delivered, isMark } from './store-delivered.ts';

type Contract = (title: string, run: (store: Store, base: number) => Promise<void>) => unknown;

/** As short as it may be. */
const TTL_MS = STORE_LIMITS.leaseMinMs;
/** What a busy machine may add to any time. */
const BUSY_MS = 500;

const keysOf = async (store: Store): Promise<string[]> => (await store.list('')).map(({ key }) => key);

/** The changes under '' so far, without the marks of `delivered`. */
function follow(store: Store): Change[] {
  const seen: Change[] = [];
  store.watch('', (change) => {
    if (!isMark(change.key)) seen.push(change);
  });
  return seen;
}

export function leaseContract(contract: Contract): void {
  contract('a check makes a commit depend on a key and changes nothing', async (store, base) => {
    await store.commit([{ put: 'guard', value: 1 }]);
    const seen = follow(store);
    const right: Op = { check: 'guard', expect: base + 1 };
    assert.deepEqual(await store.commit([right]), { ok: true, revision: base + 1 });
    assert.deepEqual(await store.commit([{ check: 'none', expect: 'absent' }]), { ok: true, revision: base + 1 });
    assert.deepEqual(await store.commit([{ put: 'a', value: 1 }, right]), { ok: true, revision: base + 2 });
    assert.deepEqual((await store.get('guard'))?.revision, base + 1);
    const wrong: [Op, Op, object][] = [
      [{ check: 'guard', expect: base + 2 }, right, { conflict: 'guard', actual: base + 1 }],
      [{ check: 'guard', expect: 'absent' }, right, { conflict: 'guard', actual: base + 1 }],
      [{ check: 'none', expect: base + 1 }, right, { conflict: 'none', actual: 'absent' }],
      [
        { check: 'none', expect: 9 },
        { put: 'guard', value: 2, expect: 9 },
        { conflict: 'none', actual: 'absent' },
      ],
    ];
    for (const [check, other, conflict] of wrong) {
      const beside: Op[] = 'check' in other ? [{ put: 'a', value: 2 }] : [other];
      assert.deepEqual(await store.commit([check, ...beside]), { ok: false, ...conflict });
      assert.deepEqual(await store.commit([check]), { ok: false, ...conflict });
      assert.deepEqual(await store.commit([check, { delete: 'a' }]), { ok: false, ...conflict });
    }
    const first = await store.commit([
      { put: 'a', value: 2, expect: 'absent' },
      { check: 'none', expect: 1 },
    ]);
    assert.deepEqual(first, { ok: false, conflict: 'a', actual: base + 2 }, 'the first that is not as expected');
    assert.equal(await store.revision(), base + 2);
    await delivered(store);
    assert.deepEqual(seen, [{ kind: 'put', key: 'a', value: 1, revision: base + 2 }]);
  });

  contract('a lease lasts while it is kept, and ends with its keys soon after', async (store, base) => {
    let keptMs = performance.now();
    const lease = await store.grantLease(TTL_MS);
    assert.ok(lease.ttlMs >= TTL_MS && lease.ttlMs <= TTL_MS + 1_000, `${lease.ttlMs} ms`);
    await store.commit([
      { put: 'b', value: 1, lease: lease.id },
      { put: 'a', value: 1, lease: lease.id },
      { put: 'c', value: 1 },
    ]);
    const { promise, resolve } = Promise.withResolvers<number>();
    const deleted: Change[] = [];
    store.watch('', (change) => {
      deleted.push(change);
      if (deleted.length === 2) resolve(performance.now());
    });
    for (let times = 0; times < 2; times += 1) {
      await sleep(lease.ttlMs * 0.6); // time itself is what is tested
      keptMs = performance.now();
      assert.equal(await store.keepLease(lease.id), true);
    }
    const answeredMs = performance.now();
    const endedMs = await promise;
    assert.ok(endedMs - keptMs >= lease.ttlMs, `ended after ${endedMs - keptMs} ms`);
    const latestMs = lease.ttlMs + STORE_LIMITS.leaseLateMs + BUSY_MS;
    assert.ok(endedMs - answeredMs <= latestMs, `ended after ${endedMs - answeredMs} ms`);
    assert.deepEqual(deleted, [
      { kind: 'delete', key: 'a', revision: base + 2 },
      { kind: 'delete', key: 'b', revision: base + 2 },
    ]);
    assert.deepEqual(await keysOf(store), ['c']);
    assert.equal(await store.revision(), base + 2);
    assert.equal(await store.keepLease(lease.id), false);
  });

  contract('a lease that is revoked ends at once; one without keys takes no revision', async (store, base) => {
    const lease = await store.grantLease(60_000);
    const empty = await store.grantLease(60_000);
    assert.notEqual(lease.id, empty.id);
    const seen = follow(store);
    await store.commit([{ put: 'a', value: 1, lease: lease.id }]);
    await store.revokeLease(empty.id);
    assert.equal(await store.revision(), base + 1);
    await store.revokeLease(lease.id);
    assert.equal(await store.get('a'), null);
    assert.equal(await store.revision(), base + 2);
    await store.revokeLease(lease.id);
    for (const { id } of [lease, empty]) assert.equal(await store.keepLease(id), false);
    assert.equal(await store.revision(), base + 2);
    await delivered(store);
    assert.deepEqual(seen, [
      { kind: 'put', key: 'a', value: 1, revision: base + 1 },
      { kind: 'delete', key: 'a', revision: base + 2 },
    ]);
  });

  contract('a key belongs to the lease that it was put with last', async (store) => {
    const one = await store.grantLease(60_000);
    const two = await store.grantLease(60_000);
    const put = (key: string, lease?: Lease): Promise<unknown> =>
      store.commit([lease ? { put: key, value: 0, lease: lease.id } : { put: key, value: 0 }]);
    await put('freed', one);
    await put('freed');
    await put('moved', one);
    await put('moved', two);
    await put('made anew', one);
    await store.commit([{ delete: 'made anew' }]);
    await put('made anew');
    await put('stays', one);
    await put('bound later');
    await put('bound later', one);
    await store.revokeLease(one.id);
    assert.deepEqual(await keysOf(store), ['freed', 'made anew', 'moved']);
    await store.revokeLease(two.id);
    assert.deepEqual(await keysOf(store), ['freed', 'made anew']);
  });

  contract('a commit under a lease that has ended changes nothing; a conflict is told first', async (store, base) => {
    const lease = await store.grantLease(60_000);
    await store.revokeLease(lease.id);
    const late: Op[] = [
      { put: 'a', value: 1 },
      { put: 'b', value: 1, lease: lease.id },
    ];
    await assert.rejects(store.commit(late), valkeeperError('store_lease_gone', new RegExp(lease.id)));
    const conflict = await store.commit([...late, { check: 'c', expect: 1 }]);
    assert.deepEqual(conflict, { ok: false, conflict: 'c', actual: 'absent' });
    await assert.rejects(
      store.commit([{ put: 'a', value: 1, lease: '999999' }]),
      valkeeperError('store_lease_gone', /999999/),
    );
    assert.deepEqual(await store.list(''), []);
    assert.equal(await store.revision(), base);
    assert.deepEqual(await store.commit([{ put: 'a', value: 1 }]), { ok: true, revision: base + 1 });
  });

  contract('a lease has limits', async (store) => {
    const { leaseMinMs, leaseMaxMs } = STORE_LIMITS;
    for (const ttlMs of [0, -1, leaseMinMs - 1, leaseMaxMs + 1, 1500.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      await assert.rejects(store.grantLease(ttlMs), valkeeperError('store_limit', /ms is out of range/));
    }
    const longest = await store.grantLease(leaseMaxMs);
    assert.equal(longest.ttlMs, leaseMaxMs);
    await store.revokeLease(longest.id);
    assert.equal(await store.keepLease('no such lease'), false);
    await store.revokeLease('no such lease');
  });
}
