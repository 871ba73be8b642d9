import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { renewAt, retryAfterMs } from './renewal.ts';

const DAY_MS = 24 * 3_600_000;
const VALIDITY = { notBefore: 0, notAfter: 30 * DAY_MS };

describe('a renewal', () => {
  it('is due from two thirds of the validity on', () => {
    assert.equal(renewAt(VALIDITY, 0), 20 * DAY_MS);
    assert.equal(renewAt(VALIDITY, 1), 22.5 * DAY_MS);
    assert.equal(renewAt({ notBefore: 60_000, notAfter: 90_000 }, 0), 80_000);
  });

  it('leaves a quarter of the validity in any case', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.integer({ min: 1 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (from, length, jitter) => {
          const at = renewAt({ notBefore: from, notAfter: from + length }, jitter);
          return at >= from + length * 0.66 && at <= from + length * 0.7501;
        },
      ),
    );
  });

  it('that failed is tried again, less often each time, and sooner when time runs out', () => {
    const waits = Array.from({ length: 40 }, (_, index) => retryAfterMs(VALIDITY, 20 * DAY_MS, index + 1, 0));
    assert.deepEqual(waits.slice(0, 4), [2_000, 4_000, 8_000, 16_000]);
    assert.equal(waits.at(-1), 3_600_000);
    assert.equal(retryAfterMs(VALIDITY, VALIDITY.notAfter - 60_000, 40, 0), 6_000);
    assert.equal(retryAfterMs(VALIDITY, VALIDITY.notAfter + DAY_MS, 40, 0), 1_000);
    assert.equal(retryAfterMs(VALIDITY, 20 * DAY_MS, 3, 1), 4_000);
  });

  it('takes a jitter from 0 to 1', () => {
    for (const jitter of [-0.1, 1.1, Number.NaN]) {
      assert.throws(() => renewAt(VALIDITY, jitter), RangeError);
      assert.throws(() => retryAfterMs(VALIDITY, 0, 1, jitter), RangeError);
    }
  });
});
