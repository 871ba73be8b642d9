/**
 * How a connection becomes a client where the machine has a certificate. Its first byte tells whether it speaks TLS, so
 * one port takes both, and who speaks plain text where that is not wanted is told so:
 *
 *     accepted -> silent --- 0x16 ---> handshake ---> client
 *                        `-- else ---> client, or turned away
 *
 * Who says nothing for a while speaks no TLS: its side begins.
 */
import type { Socket } from 'node:net';
import { createServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { appServerOptions, type Credentials } from '../trust/credentials.ts';
import type { Limits } from './limits.ts';
import { endSocket, type Opener, openAccepted, openTls, turnAway } from './read-socket.ts';

/** What a TLS record of a handshake begins with; no command does. */
const HANDSHAKE = 0x16;
const NO_PLAIN_TEXT =
  '-ERR this database takes clients with TLS only: connect by rediss:// (redis-cli --tls), with the CA that `valkeeper ca` prints\r\n';

export interface EntranceOptions {
  limits: Pick<Limits, 'clients' | 'handshakes' | 'handshakeMs'>;
  /** Of the machine, as they are now; null: no TLS is offered. */
  credentials: () => Credentials | null;
  /** Plain text is turned away. */
  requiresTls: () => boolean;
  /** Makes it a client. */
  admit: (open: Opener, isTls: boolean) => void;
  counts: { plainRefused: number; failedHandshakes: number };
}

interface Silent {
  since: number;
  timer: NodeJS.Timeout;
}

export class Entrance {
  readonly #options: EntranceOptions;
  readonly #silent = new Map<Socket, Silent>();
  /** In the middle of their handshake, by their address. */
  readonly #shaking = new Map<string, Socket>();
  #tls: { server: TlsServer; credentials: Credentials } | null = null;

  constructor(options: EntranceOptions) {
    this.#options = options;
  }

  /** Connections that are no clients yet. */
  get pending(): number {
    return this.#silent.size + this.#shaking.size;
  }

  /** A connection that the server has accepted and not read from. */
  take(accepted: Socket): void {
    const { credentials, admit, limits } = this.#options;
    if (credentials() === null) return admit((onBytes) => openAccepted(accepted, onBytes), false);
    if (this.#silent.size >= limits.clients) return void accepted.destroy();
    const heard = (first: Buffer | null): void => {
      if (!this.#silent.delete(accepted)) return;
      clearTimeout(timer);
      accepted.pause();
      accepted.off('data', heard).off('end', left).off('close', left);
      if (first?.[0] === HANDSHAKE) this.#shake(accepted, first);
      else this.#plain(accepted, first);
    };
    const left = (): void => {
      this.#silent.delete(accepted);
      clearTimeout(timer);
      accepted.destroy();
    };
    const timer = setTimeout(() => heard(null), limits.handshakeMs);
    this.#silent.set(accepted, { since: performance.now(), timer });
    accepted.on('error', () => {}); // 'close' follows
    accepted.on('data', heard).on('end', left).on('close', left);
    accepted.resume();
  }

  #plain(accepted: Socket, first: Buffer | null): void {
    const { requiresTls, admit, counts } = this.#options;
    if (requiresTls()) {
      counts.plainRefused += 1;
      return turnAway(accepted, NO_PLAIN_TEXT);
    }
    let begin = (): void => {};
    admit((onBytes) => {
      const socket = openAccepted(accepted, onBytes);
      begin = () => {
        if (first !== null && !onBytes(first.length, first)) socket.pause();
      };
      return socket;
    }, false);
    begin();
  }

  #shake(accepted: Socket, first: Buffer): void {
    const { limits, counts } = this.#options;
    const address = addressOf(accepted);
    if (this.#shaking.size >= limits.handshakes) {
      counts.failedHandshakes += 1;
      accepted.destroy();
      return;
    }
    this.#shaking.set(address, accepted);
    accepted.once('close', () => this.#shaking.delete(address));
    accepted.unshift(first);
    this.#server().emit('connection', accepted);
  }

  /** Never listens: it is given connections. Renewed certificates are shown from the next one on. */
  #server(): TlsServer {
    const credentials = this.#options.credentials()!;
    const present = this.#tls;
    if (present === null) {
      const server = createServer({
        ...appServerOptions(credentials),
        handshakeTimeout: this.#options.limits.handshakeMs,
      });
      server.on('secureConnection', (socket) => this.#secure(socket));
      server.on('tlsClientError', (_, socket) => {
        this.#options.counts.failedHandshakes += 1;
        socket.destroy();
      });
      this.#tls = { server, credentials };
      return server;
    }
    if (present.credentials !== credentials) {
      present.server.setSecureContext(appServerOptions(credentials));
      present.credentials = credentials;
    }
    return present.server;
  }

  #secure(socket: TLSSocket): void {
    this.#shaking.delete(addressOf(socket));
    this.#options.admit((onBytes) => openTls(socket, onBytes), true);
  }

  /** Ends who has said nothing for `silentMs`. */
  leave(silentMs: number): void {
    const before = performance.now() - silentMs;
    for (const [socket, { since, timer }] of this.#silent) {
      if (since > before) continue;
      this.#silent.delete(socket);
      clearTimeout(timer);
      endSocket(socket);
    }
  }

  close(): void {
    for (const [socket, { timer }] of this.#silent) {
      clearTimeout(timer);
      socket.destroy();
    }
    for (const socket of this.#shaking.values()) socket.destroy();
    this.#silent.clear();
    this.#shaking.clear();
  }
}

/** No two connections have the same at one time. */
const addressOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
