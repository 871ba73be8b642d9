import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Claim, claimEndsMs, keepAtMs, retryAfterMs } from './leader-timing.ts';

const TTL_MS = 6_000;

test('a claim ends a tenth before its lease; two attempts to keep it may fail', () => {
  const claim: Claim = { ttlMs: TTL_MS, sentMs: 1_000 };
  assert.equal(claimEndsMs(claim), 6_400);
  assert.equal(keepAtMs(claim), 3_000);
  assert.equal(retryAfterMs(claim), 300);
});

/** A request to keep the lease: when it is sent, how long it travels, and how long its answer; null when that is lost. */
const requestArbitrary = fc.record({
  afterMs: fc.nat(TTL_MS),
  thereMs: fc.nat(2_000),
  backMs: fc.option(fc.nat(2_000), { nil: null }),
});

test('whatever is lost or late, the claim ends before the lease, also by a clock that is slow by a tenth', () => {
  fc.assert(
    fc.property(
      fc.array(requestArbitrary, { maxLength: 30 }),
      fc.double({ min: 0.9, max: 1.1, noNaN: true }),
      (requests, rate) => {
        /** What the holder's clock shows. */
        const own = (trueMs: number): number => trueMs * rate;
        let nowMs = 0;
        let leaseEndsMs = TTL_MS;
        let claim: Claim = { ttlMs: TTL_MS, sentMs: own(0) };
        for (const { afterMs, thereMs, backMs } of requests) {
          nowMs += afterMs;
          const sentMs = own(nowMs);
          if (sentMs >= claimEndsMs(claim)) break; // leads no longer, and asks for nothing
          nowMs += thereMs;
          if (nowMs >= leaseEndsMs) break; // the store says no
          leaseEndsMs = nowMs + TTL_MS;
          if (backMs === null) continue;
          nowMs += backMs;
          if (own(nowMs) < claimEndsMs(claim)) claim = { ...claim, sentMs };
          assert.ok(claimEndsMs(claim) <= own(leaseEndsMs) + 1e-6);
        }
        assert.ok(claimEndsMs(claim) <= own(leaseEndsMs) + 1e-6);
      },
    ),
  );
});
