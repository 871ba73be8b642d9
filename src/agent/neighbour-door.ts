/** Where an agent answers its neighbours: a listener at the machine's address that admits machines of the fleet only. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https';
import { join } from 'node:path';
import { TLSSocket } from 'node:tls';
import { type WebSocket, WebSocketServer } from 'ws';
import { ValkeeperError } from '../domain/errors.ts';
import { carriesToken } from '../platform/bearer.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import type { Logger } from '../platform/log.ts';
import {
  type Answer,
  MAX_NEIGHBOUR_BYTES,
  NEIGHBOUR_PATH,
  NEIGHBOUR_PROTOCOL,
  type NeighbourReply,
  type NeighbourRequest,
  type Question,
} from '../protocol/neighbour-messages.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import { serverOptions } from '../trust/credentials.ts';
import { checkPeer } from '../trust/peer.ts';
import { readRequest } from './neighbour-text.ts';
import type { Roster } from './roster.ts';

/** The port that was chosen, where any would do. */
const FILE = 'neighbour-door.json';
/** A neighbour has one; with room for those that are cut off and not known to be gone. */
const MOST_CONNECTIONS = 4_096;
/** Questions of one connection that are being answered at one time. */
const MOST_AT_ONCE = 16;
/** Longest for the handshake, and for the request that opens a WebSocket, in ms. */
const OPENING_MS = 5_000;

export interface DoorOptions {
  /** The machine's folder. */
  dir: string;
  machine: string;
  address: string;
  /** 0: any that is free, the same again after a restart. */
  port: number;
  /** What this machine shows and believes; null: no TLS, and neighbours come with the token. */
  credentials: MachineCredentials | null;
  token: string | null;
  roster: Roster;
  /** @param from the machine whose certificate was shown; null without TLS */
  handle: (question: Question, from: string | null) => Promise<Answer> | Answer;
  log: Logger;
}

/** Who is at the other end: a machine by its certificate, or a bearer of the token. */
type Caller = { machine: string | null };

export class NeighbourDoor {
  readonly port: number;
  readonly #options: DoorOptions;
  readonly #server: Server | TlsServer;
  readonly #sockets: WebSocketServer;

  /** Listens when it resolves. @throws neighbour_port_unusable, address_not_here, file_unusable, file_damaged */
  static async open(options: DoorOptions): Promise<NeighbourDoor> {
    const { dir, port } = options;
    if (port !== 0) return new NeighbourDoor(options, await listen(options, port));
    const path = join(dir, FILE);
    const { port: chosen = 0 } = ((await readJson(path)) ?? {}) as { port?: number };
    const server = await listen(options, chosen).catch(() => listen(options, 0));
    const door = new NeighbourDoor(options, server);
    if (door.port !== chosen) await writeFileAtomic(path, `${JSON.stringify({ port: door.port })}\n`);
    return door;
  }

  private constructor(options: DoorOptions, server: Server | TlsServer) {
    this.#options = options;
    this.#server = server;
    this.port = (server.address() as { port: number }).port;
    this.#sockets = new WebSocketServer({
      server,
      path: NEIGHBOUR_PATH,
      maxPayload: MAX_NEIGHBOUR_BYTES,
      perMessageDeflate: false,
      verifyClient: ({ req }: { req: IncomingMessage }) => this.#callerOf(req) !== null,
    });
    this.#sockets.on('connection', (socket, request) => this.#serve(socket, this.#callerOf(request)));
  }

  /** How many neighbours are connected. */
  get connections(): number {
    return this.#sockets.clients.size;
  }

  /** The credentials were renewed: the next connections get the new ones. */
  readCredentials(): void {
    const { credentials } = this.#options;
    if (credentials && 'setSecureContext' in this.#server) {
      this.#server.setSecureContext(serverOptions(credentials.current));
    }
  }

  /** Nobody is answered from now on, and who connects is refused. Resolves when nothing is open any more. */
  async close(): Promise<void> {
    if (!this.#server.listening) return;
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#server.closeAllConnections();
    await closed;
  }

  #callerOf({ headers, socket }: IncomingMessage): Caller | null {
    const { credentials, token } = this.#options;
    if (credentials === null) {
      return token !== null && carriesToken(headers.authorization, token) ? { machine: null } : null;
    }
    if (!(socket instanceof TLSSocket)) return null;
    const peer = checkPeer(socket, { kind: 'machine' }, Date.now());
    return peer.accepted && peer.identity.kind === 'machine' ? { machine: peer.identity.name } : null;
  }

  #serve(socket: WebSocket, caller: Caller | null): void {
    if (caller === null) return socket.terminate();
    let underWay = 0;
    socket.on('error', () => socket.terminate());
    socket.on('message', async (data) => {
      const request = readRequest(String(data), NEIGHBOUR_PROTOCOL);
      if (request === null) return socket.close(1007, 'not a question');
      if (underWay >= MOST_AT_ONCE) return socket.close(1008, `more than ${MOST_AT_ONCE} questions`);
      underWay += 1;
      const reply: NeighbourReply = { id: request.id, answer: await this.#answer(request, caller) };
      underWay -= 1;
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(reply));
    });
  }

  async #answer({ protocol, version, question }: NeighbourRequest, { machine }: Caller): Promise<Answer> {
    const { roster, handle, log } = this.#options;
    if (protocol !== NEIGHBOUR_PROTOCOL) {
      return denied(`it speaks version ${NEIGHBOUR_PROTOCOL} of the neighbours' protocol, not ${protocol}`);
    }
    if (version < roster.voters.version) return { kind: 'newer-voters', voters: roster.voters };
    try {
      return await handle(question, machine);
    } catch (error) {
      log.error({ question, err: error }, 'A question of a neighbour was not answered.');
      return denied((error as Error).message);
    }
  }
}

const denied = (reason: string): Answer => ({ kind: 'denied', reason });

const PROBLEMS: Record<string, string> = {
  EADDRINUSE: 'something else listens there',
  EACCES: 'this user may not',
};

/** @throws neighbour_port_unusable, address_not_here */
async function listen({ address, credentials, machine }: DoorOptions, port: number): Promise<Server | TlsServer> {
  const limits = { requestTimeout: OPENING_MS, headersTimeout: OPENING_MS };
  const server =
    credentials === null
      ? createServer(limits)
      : createTlsServer({ ...serverOptions(credentials.current), ...limits, handshakeTimeout: OPENING_MS });
  server.maxConnections = MOST_CONNECTIONS;
  server.on('request', (_, response) => response.writeHead(426).end());
  try {
    server.listen({ host: address, port, exclusive: true });
    await once(server, 'listening');
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRNOTAVAIL') {
      throw new ValkeeperError('address_not_here', { address, problem: 'it is no address of this machine' });
    }
    const problem = PROBLEMS[code] ?? message;
    throw new ValkeeperError('neighbour_port_unusable', { machine, address, port, problem });
  }
  return server;
}
