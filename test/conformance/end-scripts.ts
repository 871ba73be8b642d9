/** Ends what a failed test left running, so that it costs its own unit and not the ones behind it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Address } from './run-unit.ts';

const ANSWER_MS = 2_000;

/** SCRIPT KILL and FUNCTION KILL at the address; what they answer does not matter. */
export async function endScripts({ host, port }: Address): Promise<void> {
  const socket = connect({ host, port });
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    await once(socket, 'connect', { signal });
    socket.resume();
    socket.write('SCRIPT KILL\r\nFUNCTION KILL\r\nQUIT\r\n');
    await once(socket, 'close', { signal });
  } catch {
    // Nothing answers there: the next unit will say so.
  } finally {
    socket.destroy();
  }
}
