/**
 * The agent's connection to the control plane: opened from here, opened again whenever it is lost, for ever. Each time
 * it begins with the whole present state, so nothing needs to be kept for later while it is away. Nodes do not care.
 */
import WebSocket from 'ws';
import { toErrorDocument } from '../domain/errors.ts';
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

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** The control plane sends a ping every 5 s; silence for longer than this is a dead connection. */
const SILENCE_LIMIT_MS = 15_000;

export interface LinkOptions {
  /** Such as `ws://127.0.0.1:7420`. */
  controlUrl: string;
  token: string;
  hello: () => Hello;
  /** Carries out a request; its result or error is the reply. */
  handle: (request: Request) => Promise<unknown>;
  log: Logger;
}

export class Link {
  readonly #options: LinkOptions;
  #socket: WebSocket | null = null;
  #retryMs = FIRST_RETRY_MS;
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
    const { controlUrl, token, hello, log } = this.#options;
    const socket = new WebSocket(`${controlUrl}${AGENT_PATH}`, {
      headers: { authorization: `Bearer ${token}` },
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
    socket.on('error', ({ message }) => {
      failure = message; // 'close' follows
    });
    socket.on('close', (code, reason) => {
      clearTimeout(silence);
      if (this.#closed) return;
      const wasOpen = this.#retryMs === FIRST_RETRY_MS;
      if (code === 1008 || wasOpen) log.warn({ code, reason: failure || String(reason) }, 'The control plane is away.');
      this.#timer = setTimeout(() => this.#open(), this.#retryMs * (0.5 + Math.random() / 2));
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    });
  }

  #received(message: ToAgent): void {
    const { handle, log } = this.#options;
    if (message.type === 'welcome') {
      if (message.protocol !== AGENT_PROTOCOL) return this.#socket?.close(1008, 'another protocol');
      this.#retryMs = FIRST_RETRY_MS;
      log.info({}, 'The control plane knows this agent.');
      return;
    }
    const { id } = message;
    handle(message).then(
      (result) => this.tell({ type: 'reply', id, result }),
      (error: unknown) => {
        log.warn({ operation: message.operation, err: error }, 'A request failed.');
        this.tell({ type: 'reply', id, error: toErrorDocument(error) });
      },
    );
  }
}

/** The message, or null when it is none. */
function parse(text: string): ToAgent | null {
  try {
    const message = JSON.parse(text) as Partial<ToAgent> | null;
    return message?.type === 'welcome' || message?.type === 'request' ? (message as ToAgent) : null;
  } catch {
    return null;
  }
}
