/** The address of a machine that joins: found out, and tried, before a word is said to anybody. */
import { once } from 'node:events';
import { connect, createServer, isIPv4 } from 'node:net';
import { ValkeeperError } from '../domain/errors.ts';

/** The address by which this machine reaches a server. @throws no_answer */
export async function addressTowards(url: string, timeoutMs: number): Promise<string> {
  const { hostname: host, port } = new URL(url);
  const socket = connect({ host, port: Number(port || 443) });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)));
  try {
    await once(socket, 'connect');
    return (socket.localAddress ?? '').replace(/^::ffff:/, '');
  } catch (error) {
    throw new ValkeeperError('no_answer', { url, detail: (error as Error).message }, { cause: error });
  } finally {
    socket.destroy();
  }
}

const PROBLEMS: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'this user may not',
};

/** Nodes will listen there: can anybody? @throws address_not_here */
export async function checkAddress(address: string): Promise<void> {
  const fail = (problem: string): ValkeeperError => new ValkeeperError('address_not_here', { address, problem });
  if (!isIPv4(address)) throw fail('it is no IPv4 address');
  if (address === '0.0.0.0') throw fail('it is no address of one machine');
  const server = createServer();
  try {
    server.listen(0, address);
    await once(server, 'listening');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    throw fail(PROBLEMS[code] ?? message);
  }
  server.close();
}
