/**
 * The port at which the two processes of the suite talk to each other. The suite's own choice is always the same one,
 * and its look whether that is free sees no listener of another run beside it.
 */
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the system gives to outgoing connections. */
const [LOWEST, COUNT] = [22_000, 10_000];
/** The suite begins to look so far below what is given as its base port. */
const BELOW_BASE = 32;

/** The suite's `--baseport` that makes it take a port that is free now. */
export async function freeBasePort(): Promise<number> {
  for (;;) {
    const port = LOWEST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port + BELOW_BASE;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const listening = once(server, 'listening').then(
    () => true,
    () => false,
  );
  server.listen(port, '127.0.0.1');
  const free = await listening;
  server.close();
  return free;
}
