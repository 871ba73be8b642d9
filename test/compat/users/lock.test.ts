/** A distributed lock: Redlock. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ExecutionError, Redlock, ResourceLockedError } from '@sesamecare-oss/redlock';
import { Redis } from 'ioredis';
import { endpointScene, until } from '../../support/endpoint-scene.ts';

it('one holder at a time; a lock is prolonged, released, and runs out', async (t) => {
  const scene = await endpointScene(t);
  /** Why locks were not to be had; it tells them beside its own errors. */
  const reasons: Error[] = [];
  const [mine, yours] = [1, 2].map(() => {
    const client = new Redis(scene.port, scene.host);
    t.after(() => client.disconnect());
    const redlock = new Redlock([client], { retryCount: 0 });
    redlock.on('error', (error) => reasons.push(error));
    return redlock;
  }) as [Redlock, Redlock];
  const resources = Array.from({ length: 6 }, (_, index) => `resource-${index}`);
  const locks = await Promise.all(resources.map((resource) => mine.acquire([resource], 60_000)));
  for (const resource of resources) await assert.rejects(yours.acquire([resource], 1_000), ExecutionError);
  for (const reason of reasons) assert.ok(reason instanceof ResourceLockedError, String(reason));
  const longer = await locks[0]!.extend(90_000);
  assert.ok(longer.expiration > locks[1]!.expiration + 20_000);
  await longer.release();
  await locks[1]!.release();
  const taken = await yours.acquire(['resource-0'], 60_000);
  await assert.rejects(locks[1]!.release(), 'a lock that is not held any more');
  await taken.release();

  const both = await mine.acquire(['{pair}:a', '{pair}:b'], 60_000);
  await assert.rejects(yours.acquire(['{pair}:b'], 1_000), ExecutionError);
  await both.release();
  await assert.rejects(mine.acquire(['one', 'another'], 1_000), ExecutionError);
  assert.match(String(reasons.at(-1)), /CROSSSLOT.*"one" and "another".*\{tag\}/);

  await mine.acquire(['short'], 100);
  await until(
    'it has run out',
    () =>
      yours.acquire(['short'], 1_000).then(
        () => true,
        () => false,
      ),
    5_000,
  );
});

it('what is done under one lock is never done twice at once', async (t) => {
  const scene = await endpointScene(t);
  const clients = Array.from({ length: 4 }, () => new Redis(scene.port, scene.host));
  for (const client of clients) t.after(() => client.disconnect());
  let inside = 0;
  let most = 0;
  await Promise.all(
    clients.map(async (client) => {
      const redlock = new Redlock([client], { retryCount: -1, retryDelay: 5, retryJitter: 5 });
      redlock.on('error', () => {}); // it was locked: tried again
      for (let round = 0; round < 5; round += 1) {
        await redlock.using(['counter-lock'], 20_000, async () => {
          inside += 1;
          most = Math.max(most, inside);
          await client.set('counter', Number(await client.get('counter')) + 1);
          inside -= 1;
        });
      }
    }),
  );
  assert.deepEqual([most, await clients[0]!.get('counter')], [1, '20']);
});
