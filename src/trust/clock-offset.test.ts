import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { CLOCK_TOLERANCE_MS, clockError, clockOffsetMs, timeInDateHeader } from './clock-offset.ts';

const NOW = Date.parse('2030-01-01T12:00:00Z');
const HOUR_MS = 3_600_000;
const reading = (offsetMs: number, tookMs = 40) => ({
  theirs: NOW + tookMs / 2 + offsetMs,
  askedAt: NOW,
  answeredAt: NOW + tookMs,
});

describe('the clock of a peer', () => {
  it('is not off by what it took to ask', () => {
    assert.equal(clockOffsetMs(reading(0)), 0);
    assert.equal(clockOffsetMs(reading(0, 30 * 60_000)), 0, 'however long that took');
    assert.equal(clockOffsetMs(reading(HOUR_MS, 0)), HOUR_MS);
    assert.equal(clockOffsetMs(reading(-HOUR_MS, 0)), -HOUR_MS);
  });

  it('may be off by five minutes', () => {
    assert.equal(clockError('alpha', reading(CLOCK_TOLERANCE_MS, 0)), null);
    assert.equal(clockError('alpha', reading(-CLOCK_TOLERANCE_MS, 0)), null);
    const error = clockError('The control plane', reading(CLOCK_TOLERANCE_MS + 1_000, 0));
    assert.ok(
      valkeeperError(
        'clock_off',
        /^The control plane has a clock that is 5 min 1 s ahead of .* more than 5 min\.$/,
      )(error),
    );
  });

  it('that is off is told in words', () => {
    const cases: [number, RegExp][] = [
      [-HOUR_MS, /is 1 h behind/],
      [25 * HOUR_MS + 59_000, /is 1 d 1 h ahead/],
      [-(2 * HOUR_MS + 61_000), /is 2 h 1 min behind/],
      [400 * 24 * HOUR_MS, /is 400 d ahead/],
    ];
    for (const [offsetMs, words] of cases) {
      assert.ok(valkeeperError('clock_off', words)(clockError('alpha', reading(offsetMs, 0))));
    }
  });

  it('is told by the Date header of any HTTP answer', async (t) => {
    const server = createServer((_, response) => response.end()).listen(0, '127.0.0.1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const askedAt = Date.now();
    const [answer] = (await once(get({ port, host: '127.0.0.1', agent: false }), 'response')) as [IncomingMessage];
    answer.resume();
    const theirs = timeInDateHeader(answer.headers.date);
    assert.ok(theirs !== null && Math.abs(theirs - askedAt) <= 2_000);
    assert.equal(clockError('it', { theirs, askedAt, answeredAt: Date.now() }), null);
    assert.equal(timeInDateHeader(undefined), null);
    assert.equal(timeInDateHeader('yesterday'), null);
  });
});
