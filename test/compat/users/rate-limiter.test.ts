/** A rate limiter: rate-limiter-flexible, on ioredis and on node-redis. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import { RateLimiterRedis, type RateLimiterRes } from 'rate-limiter-flexible';
import { createClient } from 'redis';
import { endpointScene, until } from '../../support/endpoint-scene.ts';

it('points are counted exactly, whoever asks, for keys of all shards', async (t) => {
  const scene = await endpointScene(t);
  const first = new Redis(scene.port, scene.host);
  const second = createClient({ url: `redis://${scene.host}:${scene.port}` });
  t.after(() => first.disconnect());
  t.after(() => second.destroy());
  await second.connect();
  const limits = { points: 5, duration: 60, blockDuration: 0, keyPrefix: 'limit' };
  const limiters = [
    new RateLimiterRedis({ ...limits, storeClient: first }),
    new RateLimiterRedis({ ...limits, storeClient: second, useRedisPackage: true }),
  ];
  const users = Array.from({ length: 12 }, (_, index) => `user-${index}`);
  for (const user of users) {
    const tries = await Promise.allSettled(Array.from({ length: 8 }, (_, n) => limiters[n % 2]!.consume(user)));
    const refused = tries.filter((one) => one.status === 'rejected');
    assert.equal(refused.length, 3, `${user}: 5 of 8 are let through`);
    const { msBeforeNext, remainingPoints } = refused[0]!.reason as RateLimiterRes;
    assert.ok(msBeforeNext > 50_000 && msBeforeNext <= 60_000 && remainingPoints === 0);
  }
  const [limiter] = limiters as [RateLimiterRedis, RateLimiterRedis];
  assert.equal((await limiter.get(users[0]!))!.consumedPoints, 8);
  await limiter.delete(users[0]!);
  assert.equal(await limiter.get(users[0]!), null);
  assert.equal((await limiter.reward(users[1]!, 8)).consumedPoints, 0);
  await limiter.block(users[2]!, 1);
  await assert.rejects(limiter.consume(users[2]!), (reason: RateLimiterRes) => reason.msBeforeNext <= 1_000);
  const short = new RateLimiterRedis({ storeClient: first, points: 1, duration: 1, keyPrefix: 'short' });
  await short.consume('x');
  await assert.rejects(short.consume('x'));
  await until(
    'the second is over',
    () =>
      short.consume('x').then(
        () => true,
        () => false,
      ),
    5_000,
  );
});
