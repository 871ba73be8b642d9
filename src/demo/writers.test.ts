import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Writers } from './writers.ts';

const options = { name: 'log', writers: 1, pauseMs: 0, isWatched: () => true };

it('remembers what was acknowledged, and what was refused', async () => {
  const stored = new Map<string, string>();
  const enough = Promise.withResolvers<void>();
  const writers = new Writers(
    async (key, value) => {
      if (stored.size === 5) enough.resolve();
      if (key.endsWith(':2')) throw new Error('refused');
      stored.set(key, value);
    },
    { ...options, writers: 2 },
  );
  await enough.promise;
  await writers.stop();
  assert.deepEqual(writers.acknowledged, stored);
  assert.equal(new Set(stored.values()).size, stored.size, 'no two values are the same');
  assert.ok(writers.errors.length >= 1 && writers.errors.every((message) => message === 'refused'));
});

it('does not count an answer to a write that was sent before the loss', async () => {
  const sent: PromiseWithResolvers<void>[] = [];
  const waiters: (() => void)[] = [];
  const next = async (count: number): Promise<void> => {
    while (sent.length < count) await new Promise<void>((resolve) => waiters.push(resolve));
  };
  const writers = new Writers(() => {
    sent.push(Promise.withResolvers());
    waiters.splice(0).forEach((wake) => {
      wake();
    });
    return sent.at(-1)!.promise;
  }, options);
  await next(1);
  const accepted = writers.firstAcceptedFromNow();
  let known = false;
  void accepted.then(() => {
    known = true;
  });
  sent[0]!.resolve();
  await next(2);
  assert.equal(known, false);
  const before = performance.now();
  sent[1]!.resolve();
  assert.ok((await accepted) >= before);
  const stopped = writers.stop();
  sent.at(-1)!.resolve();
  await stopped;
});
