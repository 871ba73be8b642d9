import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Signals } from './signals.ts';

test('a signal reaches the handler of the moment, or waits for the next', async () => {
  const signals = new Signals();
  const seen: string[] = [];
  const raise = async (): Promise<void> => {
    const arrived = once(process, 'SIGTERM');
    process.kill(process.pid, 'SIGTERM');
    await arrived;
  };
  signals.handle(() => seen.push('first'));
  await raise();
  signals.hold();
  await raise();
  assert.deepEqual(seen, ['first']);
  signals.handle(() => seen.push('second'));
  signals.handle(() => seen.push('third'));
  signals.release();
  assert.deepEqual(seen, ['first', 'second']);
  assert.equal(process.listenerCount('SIGTERM'), 0);
});
