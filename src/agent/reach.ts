/** Whether somebody listens somewhere: asked of the kernel over there, which answers even when the process hangs. */
import { connect } from 'node:net';
import type { NodeAddress } from '../protocol/neighbour-messages.ts';

/** On a network where a lease of a second works, a handshake takes no longer. */
const CONNECT_MS = 200;

/** Whether any of them takes a connection. */
export async function isAnyReached(addresses: readonly NodeAddress[]): Promise<boolean> {
  const reached = await Promise.all(addresses.map(takesConnection));
  return reached.includes(true);
}

function takesConnection({ host, port }: NodeAddress): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.setTimeout(CONNECT_MS, () => end(false));
    const end = (reached: boolean): void => {
      socket.destroy();
      resolve(reached);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
  });
}
