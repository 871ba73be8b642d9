/**
 * The second listener of a server, for other machines: everything over TLS. Agents show their certificate, machines that
 * join a token, clients of the API theirs.
 */
import { once } from 'node:events';
import { createServer } from 'node:https';
import { isIPv4, type Socket } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { Api } from '../api/server.ts';
import { machineCaller } from '../control/agent-caller.ts';
import type { ControlCredentials } from '../control/control-credentials.ts';
import { createJoinDoor } from '../control/join-door.ts';
import { serveAgents } from '../control/serve-agents.ts';
import { ValkeeperError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { serverOptions } from '../trust/credentials.ts';
import type { Seat } from './seat.ts';

const DEFAULT_PORT = 7440;
const EVERYWHERE = '0.0.0.0';
const LOOPBACK = '127.0.0.1';
/** Connections at one time; an agent has one, a client of the API one or two. */
const MOST_CONNECTIONS = 4_096;
/** Longest a client may take for the handshake, and to send one request, in ms. */
const HANDSHAKE_MS = 10_000;
const REQUEST_MS = 30_000;
/** When the server ends, connections get so long to end by themselves, in ms. */
const LEAVE_MS = 1_000;
/** A certificate takes 32 names and addresses. */
const MOST_ADDRESSES = 24;

/** Where it listens. */
export interface ListenAddress {
  readonly address: string;
  readonly port: number;
}

export interface ListenerSurroundings {
  api: Pick<Api, 'handle'>;
  /** Whom an agent meets, and where machines join, at this moment. */
  seat: Pick<Seat, 'agentHost' | 'joining'>;
  /** What this server shows of itself. */
  credentials: ControlCredentials;
  log: Logger;
  clock: Clock;
}

export interface FleetListener {
  readonly port: number;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

/** `ADDRESS[:PORT]`, IPv4. @throws invalid_value */
export function parseListen(text: string): ListenAddress {
  const [address = '', portText = String(DEFAULT_PORT), ...more] = text.split(':');
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (isIPv4(address) && port >= 1 && port <= 65_535 && more.length === 0) return { address, port };
  throw new ValkeeperError('invalid_value', {
    field: '--listen',
    problem: `${JSON.stringify(text)} is no IPv4 address, with a port or without`,
    remedy: `Name one of this machine, such as 10.0.0.1 or 10.0.0.1:${DEFAULT_PORT}; ${EVERYWHERE} is all of them.`,
  });
}

/** It listens on all addresses of the host. */
export const isEverywhere = ({ address }: ListenAddress): boolean => address === EVERYWHERE;

/** Where other machines find a server that listens there. */
export const joinUrlsOf = ({ address, port }: ListenAddress): string[] =>
  (address === EVERYWHERE ? ownAddresses() : [address]).map((one) => `https://${one}:${port}`);

/** What the certificate of a server that listens there is for; of one that listens on loopback only, without one. */
export const namesFor = (listen: ListenAddress | null): { addresses: string[]; hostNames: string[] } => ({
  addresses: [
    ...new Set([...(listen === null ? [] : isEverywhere(listen) ? ownAddresses() : [listen.address]), LOOPBACK]),
  ],
  hostNames: [hostname()].filter((name) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name)),
});

/** Addresses of this machine that others may reach. */
const ownAddresses = (): string[] =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
    .slice(0, MOST_ADDRESSES);

/** @throws listen_unusable */
export async function listenForMachines(
  { address, port }: ListenAddress,
  { api, clock, credentials, log, seat }: ListenerSurroundings,
): Promise<FleetListener> {
  const door = createJoinDoor(() => seat.joining(), clock, log);
  const limits = { handshakeTimeout: HANDSHAKE_MS, requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS };
  const server = createServer({ ...serverOptions(credentials.current), ...limits }, (request, response) => {
    if (!door(request, response)) api.handle(request, response);
  });
  credentials.onRenewal((renewed) => server.setSecureContext(serverOptions(renewed)));
  server.maxConnections = MOST_CONNECTIONS;
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  // A handshake that fails is the business of who tried: it is told by an alert.
  server.on('tlsClientError', (error, socket) =>
    log.debug({ err: error, from: socket.remoteAddress }, 'No handshake.'),
  );
  serveAgents(
    server,
    () => seat.agentHost(),
    (request) => machineCaller(request, clock.now()),
  );
  try {
    server.listen(port, address);
    await once(server, 'listening');
  } catch (error) {
    throw unusable(`${address}:${port}`, error as NodeJS.ErrnoException);
  }
  const bound = (server.address() as { port: number }).port;
  log.info({ address, port: bound }, 'The server listens for other machines.');
  return {
    port: bound,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      // Agents answer the word that ends their connection; who does not is cut off.
      const cut = setTimeout(() => {
        for (const socket of sockets) socket.destroy();
      }, LEAVE_MS);
      await closed;
      clearTimeout(cut);
    },
  };
}

const PROBLEMS: Record<string, string> = {
  EADDRINUSE: 'something else listens there',
  EADDRNOTAVAIL: 'it is no address of this machine',
  EACCES: 'this user may not',
};

const unusable = (address: string, error: NodeJS.ErrnoException): ValkeeperError =>
  new ValkeeperError('listen_unusable', { address, problem: PROBLEMS[error.code ?? ''] ?? error.message });
