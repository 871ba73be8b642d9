/**
 * One connection to one node, TCP or TLS, from connecting to its end:
 * connecting -> (AUTH sent) -> ready -> ended, or ended from any of them. It never comes back; its owner makes another.
 */
import { connect, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { Decoder } from '../resp/decode.ts';
import { encodeCommand } from '../resp/encode.ts';
import { ProtocolError, Push, type Reply, ReplyError } from '../resp/reply.ts';
import { startDeadline } from './deadline.ts';
import { EngineUnreachable, type UnreachableReason } from './engine-errors.ts';

/** A connection that has carried nothing for so long is probed, so that a machine that is gone is noticed. */
const KEEP_ALIVE_DELAY_MS = 30_000;

export interface SessionOptions {
  host: string;
  port: number;
  /** `default` where only a password is given. */
  username?: string;
  password?: string;
  /**
   * TLS: with which certificate, believing whom, and who the node must be (`checkServerIdentity`); `clientOptions` of
   * src/trust/credentials.ts makes them. Asked for each connection, since certificates are renewed. Nothing is sent to a
   * node that is not the one meant. Without it: plain TCP.
   */
  tls?: () => ConnectionOptions;
  /** From the first packet to the end of AUTH, the TLS handshake included. */
  connectTimeoutMs: number;
}

export interface SessionEvents {
  /** Connected and admitted: commands may be written. */
  ready(): void;
  /** Left out where `bytes` is there. */
  reply?(reply: Reply): void;
  /** What comes after the admission as it comes, in place of replies. The owner may hold it up, see `pause`. */
  bytes?(chunk: Buffer): void;
  /** Said once, unless the owner ended it; `wasReady` when it had been ready. */
  ended(why: EngineUnreachable, wasReady: boolean): void;
}

const TLS_ALERT = /^ERR_SSL_.+_ALERT_/;

/** OpenSSL's own word, where its error has one: the whole message is a line of its log. */
const wordsOf = (error: Error & { reason?: string }): string => error.reason ?? error.message;

/** A socket on its way; `onConnected` once bytes may be written: with TLS, once the node is known to be the one meant. */
function openSocket({ host, port, tls }: SessionOptions, onConnected: () => void): Socket {
  const tcp = { host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS };
  if (tls === undefined) return connect(tcp).once('connect', onConnected);
  const socket: Socket = connectTls({ ...tls(), host, port, rejectUnauthorized: true });
  return socket.once('secureConnect', () => {
    socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_DELAY_MS); // not among the options of a TLS socket
    onConnected();
  });
}

export class Session {
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #socket: Socket;
  readonly #decoder = new Decoder();
  readonly #endDeadline: () => void;
  #state: 'connecting' | 'authenticating' | 'ready' | 'ended' = 'connecting';

  constructor(options: SessionOptions, events: SessionEvents) {
    const { connectTimeoutMs } = options;
    this.#options = options;
    this.#events = events;
    this.#endDeadline = startDeadline(connectTimeoutMs, () =>
      this.#fail('timeout', `no connection within ${connectTimeoutMs} ms`),
    );
    this.#socket = openSocket(options, () => this.#connected());
    this.#socket.on('data', (chunk: Buffer) => this.#received(chunk));
    this.#socket.on('error', (error) => this.#fail(this.#reasonOf(error), wordsOf(error)));
    this.#socket.on('end', () => this.#fail('closed', 'the node closed the connection'));
    this.#socket.on('close', () => this.#fail('closed', 'the connection was closed'));
  }

  get isReady(): boolean {
    return this.#state === 'ready';
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** Nothing is read until `resume`: the node waits, too, as soon as all that lies between is full. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Ends it without a word to the owner. Bytes on their way in either direction are dropped. */
  end(): void {
    this.#state = 'ended';
    this.#endDeadline();
    this.#socket.destroy();
  }

  /** AUTH is answered before anything else is sent: who is turned away must not act as somebody else. */
  #connected(): void {
    const { username, password } = this.#options;
    if (password === undefined) return this.#admitted();
    this.#state = 'authenticating';
    this.write(encodeCommand(['AUTH', username ?? 'default', password]));
  }

  #admitted(): void {
    this.#state = 'ready';
    this.#endDeadline();
    this.#events.ready();
  }

  #received(chunk: Buffer): void {
    if (this.#state === 'ready' && this.#events.bytes) return this.#events.bytes(chunk);
    this.#decoder.push(chunk);
    try {
      while (this.#state !== 'ended') {
        const reply = this.#decoder.next();
        if (reply === undefined) return;
        if (!(reply instanceof Push)) this.#answered(reply);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#fail('not_resp', error.message);
    }
  }

  #answered(reply: Reply): void {
    if (this.#state === 'ready') this.#events.reply?.(reply);
    else if (reply instanceof ReplyError) this.#fail('not_admitted', reply.message);
    else this.#admitted();
  }

  #reasonOf({ code = '', syscall }: NodeJS.ErrnoException): UnreachableReason {
    // Whether the node takes our certificate, we hear only after our side of the handshake is over.
    if (this.#state !== 'connecting') return TLS_ALERT.test(code) ? 'not_admitted' : 'closed';
    if (code === 'ECONNREFUSED') return 'refused';
    if (code === 'ETIMEDOUT') return 'timeout';
    const isNetwork = syscall !== undefined || code === 'ECONNRESET';
    return isNetwork ? 'unreachable' : 'not_trusted';
  }

  #fail(reason: UnreachableReason, detail: string): void {
    if (this.#state === 'ended') return;
    const wasReady = this.isReady;
    this.end();
    const { host, port } = this.#options;
    this.#events.ended(new EngineUnreachable(reason, `${host}:${port}: ${detail}`), wasReady);
  }
}
