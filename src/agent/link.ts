/**
 * The agent's connection to the control plane that leads: opened from here, opened again whenever it is lost, for ever.
 * One that does not lead tells where to go; where nobody answers, the next of the known servers is tried. Each time it
 * begins with the whole present state, so nothing needs to be kept for later while it is away. Nodes do not care.
 */
import type { RequestOptions } from 'node:https';
import WebSocket, { type ClientOptions } from 'ws';
import { fromErrorDocument, toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { Logger } from '../platform/log.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type FromAgent,
  type Hello,
  MAX_MESSAGE_BYTES,
  type Request,
  type ToAgent,
  type Welcome,
} from '../protocol/agent-messages.ts';
import { refusalOf } from '../trust/peer.ts';
import { peerError } from '../trust/peer-error.ts';
import type { KnownServers } from './known-servers.ts';
import { refusalIn } from './refusal-in.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** Where there are several servers, one of them may lead soon. */
const LAST_RETRY_OF_SEVERAL_MS = 500;
const HANDSHAKE_MS = 2_000;
/** Until the welcome says how long silence may last, in ms. */
const FIRST_SILENCE_MS = 15_000;
/** From one server to the next, because that one says so, without a pause. */
const MOST_REDIRECTIONS = 3;

export interface LinkOptions {
  servers: KnownServers;
  /** What the next connection shows of this side: a token or a certificate. */
  access: () => RequestOptions;
  hello: () => Hello;
  /** Carries out a request; its result or error is the reply. */
  handle: (request: Request) => Promise<unknown>;
  /** The control plane takes this agent. */
  welcomed?: () => void;
  /** It does not, or cannot be trusted; it is asked again. */
  refused?: (error: ValkeeperError) => void;
  log: Logger;
}

/** One connection, from its opening to its end. */
interface Session {
  readonly socket: WebSocket;
  readonly server: string;
  /** Settled once its term is on disk, or refused; null before the welcome. */
  entry: Promise<void> | null;
  silenceMs: number;
}

export class Link {
  readonly #options: LinkOptions;
  #session: Session | null = null;
  #retryMs = FIRST_RETRY_MS;
  #redirections = 0;
  /** Why the control plane took this agent not, the last time; null since it did. */
  #refusal: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#open(options.servers.next());
  }

  /** Tells a change, if the control plane listens; otherwise the next hello will. @returns whether it was sent */
  tell(message: FromAgent): boolean {
    const socket = this.#session?.socket;
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
  }

  /** Sends what is on its way and ends the connection. */
  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#session?.socket.close(1000, 'the agent stops');
  }

  #open(server: string): void {
    const { access, hello, log } = this.#options;
    const socket = new WebSocket(`${server.replace(/^http/, 'ws')}${AGENT_PATH}`, {
      // The types of `ws` know of an older `checkServerIdentity`.
      ...(access() as object as ClientOptions),
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: HANDSHAKE_MS,
    });
    const session: Session = { socket, server, entry: null, silenceMs: FIRST_SILENCE_MS };
    this.#session = session;
    let silence = setTimeout(() => socket.terminate(), session.silenceMs);
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.terminate(), session.silenceMs);
    };
    socket.on('open', () => void this.tell(hello()));
    socket.on('ping', heard);
    socket.on('message', (data) => {
      const message = parse(String(data));
      if (message?.type === 'welcome') session.silenceMs = message.silenceMs;
      heard();
      if (message) this.#received(session, message);
      else socket.close(1007, 'not a message');
    });
    let failure = '';
    let leader: string | null = null;
    socket.on('unexpected-response', (_, response) => {
      const { statusCode, headers } = response;
      failure = `it answers ${statusCode}`;
      leader = statusCode === 307 && headers.location !== undefined ? this.#leaderIn(headers.location) : null;
      void refusalIn(response).then((error) => {
        if (error) this.#refused(error);
        socket.terminate();
      });
    });
    socket.on('error', (error) => {
      failure ||= error.message; // 'close' follows
      const refusal = refusalOf(error, CONTROL);
      if (refusal) this.#refused(peerError(refusal, `The control plane at ${server}`, Date.now()));
    });
    socket.on('close', (code, reason) => {
      clearTimeout(silence);
      if (this.#closed) return;
      const wasOpen = this.#retryMs === FIRST_RETRY_MS && leader === null;
      if (code === 1008 || wasOpen) {
        log.warn({ server, code, reason: failure || String(reason) }, 'The control plane is away.');
      }
      this.#again(leader);
    });
  }

  /** Tries the one that is said to lead at once, or another after a pause. */
  #again(leader: string | null): void {
    const { servers } = this.#options;
    if (leader !== null && this.#redirections < MOST_REDIRECTIONS) {
      this.#redirections += 1;
      this.#open(leader);
      return;
    }
    this.#redirections = 0;
    this.#timer = setTimeout(() => this.#open(servers.next()), this.#retryMs * (0.5 + Math.random() / 2));
    const lastMs = servers.all.length > 1 ? LAST_RETRY_OF_SEVERAL_MS : LAST_RETRY_MS;
    this.#retryMs = Math.min(lastMs, this.#retryMs * 2);
  }

  #received(session: Session, message: ToAgent): void {
    if (message.type === 'welcome') void this.#welcomed(session, message);
    else if (message.type === 'refused') this.#refused(fromErrorDocument(message.error));
    else if (message.type === 'servers') this.#learn(message.servers);
    else void this.#requested(session, message);
  }

  async #welcomed(session: Session, { protocol, term, servers }: Welcome): Promise<void> {
    const { log, servers: known, welcomed } = this.#options;
    if (protocol !== AGENT_PROTOCOL) return session.socket.close(1008, 'another protocol');
    session.entry = known.enter(term);
    try {
      await session.entry;
    } catch (error) {
      return session.socket.close(1008, (error as Error).message);
    }
    this.#retryMs = FIRST_RETRY_MS;
    this.#redirections = 0;
    this.#refusal = null;
    this.#learn(servers);
    known.stay(session.server);
    log.info({ server: session.server, term: term?.number }, 'The control plane knows this agent.');
    welcomed?.();
  }

  /** The API that a redirection leads to; null when it leads nowhere that this agent goes. */
  #leaderIn(location: string): string | null {
    const { origin = '' } = URL.parse(location) ?? {};
    return this.#options.servers.accepts(origin) ? origin : null;
  }

  #refused(error: ValkeeperError): void {
    const { log, refused } = this.#options;
    if (this.#refusal === error.code) return; // it is asked again and again, and told once
    this.#refusal = error.code;
    log.error({ code: error.code, hint: error.hint }, error.message);
    refused?.(error);
  }

  #learn(servers: readonly string[]): void {
    const { log, servers: known } = this.#options;
    known.learn(servers).catch((error: unknown) => log.warn({ err: error }, 'The servers are not remembered.'));
  }

  async #requested(session: Session, message: Request): Promise<void> {
    const { handle, log } = this.#options;
    const { id } = message;
    const reply = (text: FromAgent): void => {
      if (session.socket.readyState === WebSocket.OPEN) session.socket.send(JSON.stringify(text));
    };
    try {
      if (session.entry === null) throw new ValkeeperError('usage', BEFORE_WELCOME);
      await session.entry;
      reply({ type: 'reply', id, result: await handle(message) });
    } catch (error) {
      log.warn({ operation: message.operation, err: error }, 'A request failed.');
      reply({ type: 'reply', id, error: toErrorDocument(error) });
    }
  }
}

const BEFORE_WELCOME = {
  problem: 'A request came before the welcome.',
  remedy: 'The welcome says whose request it is.',
};

const CONTROL = { kind: 'control' } as const;

/** The message, or null when it is none. */
function parse(text: string): ToAgent | null {
  try {
    const message = JSON.parse(text) as Partial<ToAgent> | null;
    const isKnown =
      message?.type === 'welcome' ||
      message?.type === 'refused' ||
      message?.type === 'servers' ||
      message?.type === 'request';
    return isKnown ? (message as ToAgent) : null;
  } catch {
    return null;
  }
}
