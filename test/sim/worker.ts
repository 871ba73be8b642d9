/** One worker: runs the seeds it is told to, one after the other. */
import { parentPort } from 'node:worker_threads';
import { mindOf } from './minds.ts';
import type { Order } from './pool.ts';
import { simulate } from './simulate.ts';

const port = parentPort!;

port.on('message', async ({ seed, mind }: Order) => {
  const result = await simulate(seed, mindOf(mind));
  port.postMessage({ ...result, trace: result.broken ? result.trace : [] });
});
