/** A job queue: BullMQ, whose scripts touch many keys of a queue at once. */
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { endpointScene, type Scene, until } from '../../support/endpoint-scene.ts';

/** In braces, as BullMQ asks of those who use a cluster: all keys of all queues are in one slot then. */
const PREFIX = '{jobs}';

describe('bullmq at the endpoint', () => {
  const ends: (() => unknown)[] = [];
  let scene: Scene;
  before(async () => {
    scene = await endpointScene({ after: (end) => ends.push(end as () => unknown) });
  });
  after(async () => {
    for (const end of ends.reverse()) await end();
  });

  /** A queue, its events, and a worker that does what it is told; all end with the test. */
  async function open(name: string, work: (data: { n: number }, attempt: number) => unknown) {
    const options = { connection: { host: scene.host, port: scene.port }, prefix: PREFIX };
    const queue = new Queue<{ n: number }>(name, options);
    const events = new QueueEvents(name, options);
    const worker = new Worker<{ n: number }>(name, async ({ data, attemptsMade }) => work(data, attemptsMade), {
      ...options,
      concurrency: 4,
    });
    for (const part of [queue, events, worker] as EventEmitter[]) part.on('error', () => {}); // connections that end
    ends.push(async () => {
      await worker.close();
      await Promise.all([events.close(), queue.close()]);
    });
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady(), worker.waitUntilReady()]);
    return { queue, events, worker };
  }

  it('works off jobs, each once, and tells of it', async () => {
    const seen: number[] = [];
    const { queue, events } = await open('plain', ({ n }) => {
      seen.push(n);
      return n * n;
    });
    const jobs = await queue.addBulk(Array.from({ length: 50 }, (_, n) => ({ name: 'square', data: { n } })));
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events, 20_000)));
    assert.deepEqual(
      results,
      jobs.map((_, n) => n * n),
    );
    assert.deepEqual(
      seen.sort((a, b) => a - b),
      jobs.map((_, n) => n),
    );
    const { completed, failed, waiting } = await queue.getJobCounts('completed', 'failed', 'waiting');
    assert.deepEqual({ completed, failed, waiting }, { completed: 50, failed: 0, waiting: 0 });
  });

  it('tries again what failed, and gives up when told to', async () => {
    const { queue, events } = await open('retried', ({ n }, attempt) => {
      if (n < 0) throw new UnrecoverableError('never');
      if (attempt < 2) throw new Error('not yet');
      return attempt;
    });
    const retried = await queue.add('x', { n: 1 }, { attempts: 3, backoff: { type: 'fixed', delay: 20 } });
    assert.equal(await retried.waitUntilFinished(events, 20_000), 2);
    const hopeless = await queue.add('x', { n: -1 }, { attempts: 3 });
    await assert.rejects(hopeless.waitUntilFinished(events, 20_000), /never/);
    assert.equal((await queue.getFailed()).length, 1);
  });

  it('holds back a delayed job, and takes jobs by priority', async () => {
    const order: number[] = [];
    const { queue, events, worker } = await open('delayed', ({ n }) => order.push(n));
    await worker.pause();
    const late = await queue.add('x', { n: 3 }, { delay: 300 });
    assert.equal(await late.getState(), 'delayed');
    const low = await queue.add('x', { n: 2 }, { priority: 10 });
    const high = await queue.add('x', { n: 1 }, { priority: 1 });
    worker.concurrency = 1;
    worker.resume();
    for (const job of [high, low, late]) await job.waitUntilFinished(events, 20_000);
    assert.deepEqual(order, [1, 2, 3]);
  });

  it('hears of progress and completion on another connection', async () => {
    const { queue, events } = await open('told', () => 'done');
    const completed = once(events, 'completed');
    const job = await queue.add('x', { n: 1 });
    const [{ jobId, returnvalue }] = (await completed) as [{ jobId: string; returnvalue: string }];
    assert.deepEqual([jobId, returnvalue], [job.id, 'done']);
  });

  it('is told the reason without braces in its prefix: the keys of a queue are in many slots', async () => {
    const connection = new Redis(scene.port, scene.host, { maxRetriesPerRequest: null });
    const queue = new Queue('spread', { connection });
    queue.on('error', () => {});
    await until('the connection is there', async () => connection.status === 'ready');
    await assert.rejects(queue.add('x', { n: 1 }), /CROSSSLOT.* and .*\{tag\}/);
    await queue.close();
    connection.disconnect();
  });
});
