import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { createLogger } from '../platform/log.ts';
import { openMemoryStore } from '../store/memory.ts';
import type { Store } from '../store/store.ts';
import { fencedStore } from './fenced-store.ts';
import { LEADER_KEY, Leadership } from './leader.ts';

const LEASE_MS = 6_000;
const { log } = createLogger({ name: 'test', level: 'error' });

/** Lets everything go on that waits for no clock. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await new Promise(setImmediate);
}

/** A store and its clock, and control planes that use it. */
function fleetOf(t: TestContext) {
  const clock = new ManualClock();
  const store = openMemoryStore(clock);
  const all: Leadership[] = [];
  const told: string[] = [];
  t.after(async () => {
    const closing = all.map((one) => one.close());
    clock.advance(2_000); // one that gets no answer waits so long
    await Promise.all(closing);
    await store.close();
  });
  const join = (name: string, { through = store, own = clock }: { through?: Store; own?: ManualClock } = {}) => {
    const self = { name, api: `https://${name}:7420` };
    const one = new Leadership({ store: through, self, leaseMs: LEASE_MS, log, clock: own });
    one.on('gained', () => told.push(`${name} gained`));
    one.on('lost', (_term, loss) => told.push(`${name} lost: ${loss}`));
    one.on('leader', (leader) => told.push(`${name} sees ${leader?.name ?? 'nobody'}`));
    all.push(one);
    return one;
  };
  /** In small steps; never may two lead. */
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 100) {
      clock.advance(Math.min(100, ms - passed));
      await settled();
      assert.ok(all.filter(({ term }) => term !== null).length <= 1, 'two lead');
    }
  };
  return { clock, store, told, join, pass };
}

/** The same store over a line that can be made to fail. */
function lineTo(store: Store) {
  const line = { store, failure: null as null | 'error' | 'silence' };
  line.store = new Proxy(store, {
    get: (target, name: keyof Store) => {
      if (name !== 'watch' && line.failure === 'error') return () => Promise.reject(new Error('no answer'));
      if (name !== 'watch' && line.failure === 'silence') return () => new Promise(() => {});
      const method = target[name] as (...args: unknown[]) => unknown;
      return method.bind(target);
    },
  });
  return line;
}

test('the first leads as long as it likes, the others see it, and take over at once when it resigns', async (t) => {
  const { store, told, join, pass } = fleetOf(t);
  const a = join('a');
  await settled();
  const b = join('b');
  await settled();
  assert.deepEqual(told, ['a sees a', 'a gained', 'b sees a']);
  const { term } = a;
  assert.deepEqual(term, { number: 1, check: { check: LEADER_KEY, expect: 1 } });
  assert.deepEqual(b.leader, { name: 'a', api: 'https://a:7420' });
  assert.equal(b.term, null);
  await pass(20 * LEASE_MS);
  assert.equal(a.term, term);
  assert.deepEqual((await store.get(LEADER_KEY))?.value, { name: 'a', api: 'https://a:7420' });

  await a.close();
  await settled();
  assert.equal(a.term, null);
  assert.deepEqual(told.slice(3), ['a sees nobody', 'a lost: closed', 'b sees nobody', 'b sees b', 'b gained']);
  assert.ok(b.term!.number > term!.number, 'each term has a greater number');
  await a.close();
});

test('one whose lease is not kept stops before it ends, and another leads once it has ended', async (t) => {
  for (const failure of ['error', 'silence'] as const) {
    const { store, told, join, pass } = fleetOf(t);
    const line = lineTo(store);
    const a = join('a', { through: line.store });
    await settled();
    const b = join('b');
    await pass(LEASE_MS);
    assert.ok(a.term !== null);
    line.failure = failure;
    // It was kept at the latest now, and at the earliest a third of its time ago.
    await pass(LEASE_MS * (0.9 - 1 / 3) - 100);
    assert.ok(a.term !== null, 'two attempts may fail');
    await pass(LEASE_MS / 3 + 100);
    assert.equal(a.term, null);
    assert.deepEqual(
      told.filter((line) => line.startsWith('a lost')),
      ['a lost: lease'],
    );
    await pass(LEASE_MS * 0.1 + 100);
    assert.ok(b.term !== null);
  }
});

test('a failure that passes in time is not noticed', async (t) => {
  const { store, told, join, pass } = fleetOf(t);
  const line = lineTo(store);
  const a = join('a', { through: line.store });
  await settled();
  const { term } = a;
  for (let times = 0; times < 5; times += 1) {
    line.failure = 'error';
    await pass(LEASE_MS / 2);
    line.failure = null;
    await pass(LEASE_MS / 2);
  }
  assert.equal(a.term, term);
  assert.deepEqual(told, ['a sees a', 'a gained']);
});

test('one that was stopped knows at its first look that it leads no longer, and what it still writes is refused', async (t) => {
  const { store, told, join, pass } = fleetOf(t);
  // Its own clock, so that it alone can be stopped.
  const own = new ManualClock();
  const a = join('a', { own });
  await settled();
  const b = join('b');
  await settled();
  const old = a.term!;
  const fenced = fencedStore(store, old);
  assert.ok((await fenced.commit([{ put: 'x', value: 1 }])).ok);
  own.stall(LEASE_MS * 0.9 - 1);
  assert.equal(a.term, old);
  own.stall(1);
  assert.equal(a.term, null, 'nothing but its clock told it');
  await pass(2 * LEASE_MS);
  assert.ok(b.term !== null);
  await assert.rejects(fenced.commit([{ put: 'x', value: 2 }]), valkeeperError('not_leader'));
  assert.deepEqual(await store.commit([{ put: 'x', value: 2 }, old.check]), {
    ok: false,
    conflict: LEADER_KEY,
    actual: b.term.number,
  });
  assert.equal((await store.get('x'))?.value, 1);
  own.advance(0);
  await settled();
  assert.deepEqual(a.leader, { name: 'b', api: 'https://b:7420' });
  assert.equal(told.filter((line) => line === 'a gained').length, 1);
});

test('one whose key is taken away leads no longer, at once', async (t) => {
  const { store, told, join } = fleetOf(t);
  const a = join('a');
  await settled();
  const { number } = a.term!;
  await store.commit([{ delete: LEADER_KEY }]);
  await settled();
  assert.deepEqual(told.slice(2, 4), ['a sees nobody', 'a lost: key']);
  assert.ok(a.term!.number > number, 'it tries again');
});

test('a conflict that is not about leading stays an answer; reading and leases need no term', async (t) => {
  const { store, join } = fleetOf(t);
  const a = join('a');
  await settled();
  const fenced = fencedStore(store, a.term!);
  await store.commit([{ put: 'x', value: 1 }]);
  const conflict = await fenced.commit([{ put: 'x', value: 2, expect: 'absent' }]);
  assert.deepEqual(conflict, { ok: false, conflict: 'x', actual: 2 });
  await a.close();
  await assert.rejects(fenced.commit([{ put: 'x', value: 2, expect: 'absent' }]), valkeeperError('not_leader'));
  assert.equal((await fenced.get('x'))?.value, 1);
  assert.equal((await fenced.list('')).length, 1);
  assert.equal(await fenced.revision(), await store.revision());
  const lease = await fenced.grantLease(LEASE_MS);
  assert.ok(await fenced.keepLease(lease.id));
  await fenced.revokeLease(lease.id);
  fenced.watch('', () => {})();
});

test('a store that fails is tried again', async (t) => {
  const { store, clock, join, pass, told } = fleetOf(t);
  const line = lineTo(store);
  line.failure = 'error';
  const a = join('a', { through: line.store });
  await pass(3_000);
  assert.equal(a.term, null);
  line.failure = null;
  await pass(500);
  assert.ok(a.term !== null);
  assert.deepEqual(told, ['a sees a', 'a gained']);
  await a.close();
  await pass(100);
  assert.equal(clock.waiting, 0, 'nothing is left behind');
});
