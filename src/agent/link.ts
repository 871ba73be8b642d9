/**
 * The agent's connection to the control plane: opened from here, opened again whenever it is lost, for ever. Each time
 * it begins with the whole present state, so nothing needs to be kept for later while it is away. Nodes do not care.
 */
import type { IncomingMessage } from 'node:http';
import type { RequestOptions } from 'node:https';
import WebSocket, { type ClientOptions } from 'ws';
import {
  ERRORS,
  type ErrorDocument,
  fromErrorDocument,
  toErrorDocument,
  type ValkeeperError,
} from '../domain/errors.ts';
import type { Logger } from '../platform/log.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type FromAgent,
  type Hello,
  MAX_MESSAGE_BYTES,
  type Request,
  type ToAgent,
} from '../protocol/agent-messages.ts';
import { refusalOf } from '../trust/peer.ts';
import { peerError } from '../trust/peer-error.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** The control plane sends a ping every 5 s; silence for longer than this is a dead connection. */
const SILENCE_LIMIT_MS = 15_000;

export interface LinkOptions {
  /** Such as `http://127.0.0.1:7420`; one after the other is tried. */
  controlUrls: readonly string[];
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

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | null = null;
  #retryMs = FIRST_RETRY_MS;
  #tries = 0;
  /** Why the control plane took this agent not, the last time; null since it did. */
  #refusal: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#open();
  }

  /** Tells a change, if the control plane listens; otherwise the next hello will. */
  tell(message: FromAgent): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Sends what is on its way and ends the connection. */
  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#socket?.close(1000, 'the agent stops');
  }

  #open(): void {
    const { access, controlUrls, hello, log } = this.#options;
    const server = controlUrls[this.#tries++ % controlUrls.length]!;
    const socket = new WebSocket(`${server.replace(/^http/, 'ws')}${AGENT_PATH}`, {
      // The types of `ws` know of an older `checkServerIdentity`.
      ...(access() as object as ClientOptions),
      perMessageDeflate: false,
      maxPayload: MAX_MESSAGE_BYTES,
      handshakeTimeout: LAST_RETRY_MS,
    });
    this.#socket = socket;
    let silence = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
    const heard = (): void => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.terminate(), SILENCE_LIMIT_MS);
    };
    socket.on('open', () => this.tell(hello()));
    socket.on('ping', heard);
    socket.on('message', (data) => {
      heard();
      const message = parse(String(data));
      if (message) this.#received(message);
      else socket.close(1007, 'not a message');
    });
    let failure = '';
    socket.on('unexpected-response', (request, response) => {
      failure = `it answers ${response.statusCode}`;
      void refusalIn(response).then((error) => {
        if (error) this.#refused(error);
        request.destroy();
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
      const wasOpen = this.#retryMs === FIRST_RETRY_MS;
      if (code === 1008 || wasOpen)
        log.warn({ server, code, reason: failure || String(reason) }, 'The control plane is away.');
      this.#timer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random() / 2));
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    });
  }

  #received(message: ToAgent): void {
    const { handle, log, welcomed } = this.#options;
    if (message.type === 'welcome') {
      if (message.protocol !== AGENT_PROTOCOL) return this.#socket?.close(1008, 'another protocol');
      this.#retryMs = FIRST_RETRY_MS;
      this.#refusal = null;
      log.info({}, 'The control plane knows this agent.');
      welcomed?.();
      return;
    }
    if (message.type === 'refused') return this.#refused(fromErrorDocument(message.error));
    const { id } = message;
    handle(message).then(
      (result) => this.tell({ type: 'reply', id, result }),
      (error: unknown) => {
        log.warn({ operation: message.operation, err: error }, 'A request failed.');
        this.tell({ type: 'reply', id, error: toErrorDocument(error) });
      },
    );
  }

  #refused(error: ValkeeperError): void {
    const { log, refused } = this.#options;
    if (this.#refusal === error.code) return; // it is asked again and again, and told once
    this.#refusal = error.code;
    log.error({ code: error.code, hint: error.hint }, error.message);
    refused?.(error);
  }
}

const CONTROL = { kind: 'control' } as const;
/** Longest refusal that is read, in characters. */
const MOST_REFUSAL_CHARS = 10_000;

/** What the control plane says with a refusal; null when it says nothing that is known. */
async function refusalIn(response: IncomingMessage): Promise<ValkeeperError | null> {
  try {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) {
      text += chunk;
      if (text.length > MOST_REFUSAL_CHARS) return null;
    }
    const { code, kind, message, hint } = JSON.parse(text) as ErrorDocument;
    return code in ERRORS ? fromErrorDocument({ code, kind, message, hint }) : null;
  } catch {
    return null;
  }
}

/** The message, or null when it is none. */
function parse(text: string): ToAgent | null {
  try {
    const message = JSON.parse(text) as Partial<ToAgent> | null;
    const isKnown = message?.type === 'welcome' || message?.type === 'refused' || message?.type === 'request';
    return isKnown ? (message as ToAgent) : null;
  } catch {
    return null;
  }
}
