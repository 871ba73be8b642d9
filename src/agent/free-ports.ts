/** Ports that nodes can have: the client port and the bus port beside it must both be free at the machine's address. */
import { createServer } from 'node:net';
import { BUS_PORT_OFFSET } from '../domain/database.ts';
import { ValkeeperError } from '../domain/errors.ts';

const LAST_PORT = 65_535;

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

/** The first free port of the address from `from` on; null when there is none. */
export async function firstFreePort(address: string, from: number, avoid: ReadonlySet<number>): Promise<number | null> {
  for (let port = from; port <= LAST_PORT; port += 1) {
    if (!avoid.has(port) && (await isFree(address, port))) return port;
  }
  return null;
}

/** Those of the ports that somebody listens on, or that may not be listened on. */
export async function takenPorts(address: string, ports: readonly number[]): Promise<number[]> {
  const free = await Promise.all(ports.map((port) => isFree(address, port)));
  return ports.filter((_, index) => !free[index]);
}
