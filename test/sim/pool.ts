/** Runs many seeds on all processors: each worker takes the next seed when it is done with one. */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Result } from './simulate.ts';

/** What a worker is told to run. */
export interface Order {
  seed: number;
  /** By name, of minds.ts. */
  mind: string;
}

/**
 * Runs the seeds, in no certain order.
 * @param heard gets each result, with a trace only if it failed; returning false ends it all
 */
export async function runSeeds(
  seeds: Iterable<number>,
  mind: string,
  heard: (result: Result) => boolean,
  workers = availableParallelism(),
): Promise<void> {
  const rest = seeds[Symbol.iterator]();
  let ended = false;
  const work = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./worker.ts', import.meta.url));
      const next = (): void => {
        const { value: seed, done } = rest.next();
        if (ended || done) {
          worker.terminate().then(() => resolve(), reject);
          return;
        }
        const order: Order = { seed, mind };
        worker.postMessage(order);
      };
      worker.on('error', reject);
      worker.on('message', (result: Result) => {
        if (!heard(result)) ended = true;
        next();
      });
      next();
    });
  await Promise.all(Array.from({ length: workers }, work));
}
