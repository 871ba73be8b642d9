/** Ports that nodes can have: the client port and the bus port beside it must both be free at the machine's address. */
import { createServer } from 'node:net';
import { BUS_PORT_OFFSET } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';

export interface PortRange {
  from: number;
  to: number;
}

/** The first `count` free client ports of the range. @throws no_free_ports */
export async function freePorts(
  address: string,
  range: PortRange,
  count: number,
  avoid: ReadonlySet<number>,
): Promise<number[]> {
  const found: number[] = [];
  for (let port = range.from; port <= range.to && found.length < count; port += 1) {
    if (avoid.has(port) || avoid.has(port + BUS_PORT_OFFSET)) continue;
    if ((await isFree(address, port)) && (await isFree(address, port + BUS_PORT_OFFSET))) found.push(port);
  }
  if (found.length < count) throw new ValkeeperError('no_free_ports', { address, ...range, count });
  return found;
}

const isFree = (host: string, port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen({ host, port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
