import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../test/support/manual-clock.ts';
import { LeaseTable } from './lease-table.ts';

function tableOf() {
  const clock = new ManualClock();
  const ended: [id: string, atMs: number][] = [];
  const leases = new LeaseTable(clock, (id) => ended.push([id, clock.now()]));
  return { clock, ended, leases };
}

test('a lease ends to the millisecond after it was kept last', () => {
  const { clock, ended, leases } = tableOf();
  const kept = leases.grant(1_000);
  const left = leases.grant(1_500);
  clock.advance(999);
  assert.ok(leases.keep(kept.id));
  clock.advance(500);
  assert.ok(leases.keep(kept.id));
  clock.advance(999);
  assert.deepEqual(ended, [[left.id, 1_500]]);
  assert.ok(leases.has(kept.id));
  assert.equal(leases.has(left.id) || leases.keep(left.id), false);
  clock.advance(1);
  assert.deepEqual(ended.slice(1), [[kept.id, 2_499]]);
  assert.equal(clock.waiting, 0);
});

test('keys that cannot be deleted are tried again until it works; their lease is over all the same', () => {
  const clock = new ManualClock();
  const ended: number[] = [];
  const leases = new LeaseTable(clock, () => {
    if (clock.now() < 2_500) throw new Error('disk full');
    ended.push(clock.now());
  });
  const late = leases.grant(1_000);
  const revoked = leases.grant(9_000);
  clock.advance(600);
  assert.throws(() => leases.revoke(revoked.id), /disk full/);
  clock.advance(500);
  assert.equal(leases.has(late.id) || leases.has(revoked.id), false);
  clock.advance(10_000);
  assert.deepEqual(ended, [2_600, 3_000]);
  assert.equal(clock.waiting, 0);
});

test('a closed table ends nothing', () => {
  const { clock, ended, leases } = tableOf();
  leases.grant(1_000);
  leases.close();
  clock.advance(5_000);
  assert.deepEqual(ended, []);
  assert.equal(clock.waiting, 0);
});
