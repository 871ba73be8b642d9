/** One worker: runs the seeds it is told to, one after the other. */
import { parentPort } from 'node:worker_threads';
import { BROKEN_MINDS } from './broken-planners.ts';
import type { Order } from './pool.ts';
import { REAL_MIND, simulate } from './simulate.ts';

const port = parentPort!;

port.on('message', async ({ seed, planner }: Order) => {
  const result = await simulate(seed, planner === null ? REAL_MIND : BROKEN_MINDS[planner]);
  port.postMessage({ ...result, trace: result.broken ? result.trace : [] });
});
