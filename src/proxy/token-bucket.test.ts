import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.ts';

describe('so many bytes a second', () => {
  it('lets one go at once, and the next when the first is paid for', () => {
    const bucket = new TokenBucket(1_000, 0);
    assert.equal(bucket.takes(100, 0), true);
    assert.equal(bucket.takes(1, 0), false);
    assert.equal(bucket.waitMs(0), 100);
    assert.equal(bucket.waitMs(40), 60);
    assert.equal(bucket.takes(1, 99), false);
    assert.equal(bucket.takes(1, 100), true);
  });

  it('saves no more than a moment, and lets nobody wait longer than a second for what was too large', () => {
    const bucket = new TokenBucket(1_000, 0);
    let gone = 0;
    while (bucket.takes(10, 60_000)) gone += 10;
    assert.equal(gone, 110, '100 of them saved');
    assert.equal(bucket.takes(1_000_000, 61_000), true);
    assert.equal(bucket.waitMs(61_000), 1_000);
  });

  it('takes another rate from then on', () => {
    const bucket = new TokenBucket(1_000, 0);
    bucket.takes(500, 0);
    bucket.setRate(100, 100);
    assert.equal(bucket.waitMs(100), 1_000, 'a debt of 400, of which a second counts');
    bucket.setRate(10_000, 100);
    assert.equal(bucket.waitMs(100), 10);
  });

  it('keeps to the rate over any time, whatever comes', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 50 });
    fc.assert(
      fc.property(fc.integer({ min: 1_000, max: 100_000 }), sizes, (rate, commands) => {
        const bucket = new TokenBucket(rate, 0);
        let now = 0;
        let gone = 0;
        for (let index = 0; now < 20_000; index += 1) {
          now += bucket.waitMs(now) + 1e-6;
          const bytes = commands[index % commands.length]!;
          assert.ok(bucket.takes(bytes, now), 'after its wait it goes');
          gone += bytes;
        }
        const most = (rate * now) / 1_000;
        assert.ok(gone > 0.9 * most && gone <= most + 0.1 * rate + 1_000, `${gone} of ${most}`);
      }),
    );
  });
});
