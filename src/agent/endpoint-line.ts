/**
 * The line to the endpoint process: one JSON text a line over its Unix socket, one answer each, in order. Connected on
 * demand; whatever goes wrong ends the connection, and the next question opens another.
 */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { FromEndpoint, ToEndpoint } from '../protocol/endpoint-messages.ts';

interface Waiting {
  resolve: (answer: FromEndpoint) => void;
  reject: (error: Error) => void;
  timer: NodeJS.Timeout;
}

export class EndpointLine {
  readonly #path: () => string;
  readonly #onLost: () => void;
  #socket: Socket | null = null;
  #waiting: Waiting[] = [];

  /**
   * @param path of the socket, short enough for one (107 bytes)
   * @param onLost called when an open connection ends by itself
   */
  constructor(path: () => string, onLost: () => void) {
    this.#path = path;
    this.#onLost = onLost;
  }

  /** @throws Error when it cannot be asked, does not answer in time, or refuses */
  async ask(question: ToEndpoint, timeoutMs: number): Promise<Extract<FromEndpoint, { ok: true }>> {
    const socket = this.#open();
    const { promise, resolve, reject } = Promise.withResolvers<FromEndpoint>();
    const late = (): void => {
      socket.destroy(new Error(`no answer to ${question.do} within ${timeoutMs} ms`));
    };
    this.#waiting.push({ resolve, reject, timer: setTimeout(late, timeoutMs) });
    socket.write(`${JSON.stringify(question)}\n`);
    const answer = await promise;
    if (!answer.ok) throw new Error(answer.error);
    return answer;
  }

  /** The next question goes to whoever listens then. */
  close(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#failAll(new Error('the line was closed'));
    socket?.destroy();
  }

  #open(): Socket {
    if (this.#socket) return this.#socket;
    const socket = connect(this.#path());
    this.#socket = socket;
    let opened = false;
    let failure = new Error('it closed the line');
    socket.once('connect', () => {
      opened = true;
    });
    socket.on('error', (error) => {
      failure = error; // 'close' follows
    });
    socket.once('close', () => {
      if (this.#socket !== socket) return;
      this.#socket = null;
      this.#failAll(failure);
      if (opened) this.#onLost();
    });
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    lines.on('error', () => {}); // the socket tells it
    lines.on('line', (line) => this.#answered(socket, line));
    return socket;
  }

  #answered(socket: Socket, line: string): void {
    if (this.#socket !== socket) return;
    const waiting = this.#waiting.shift();
    if (!waiting) return;
    clearTimeout(waiting.timer);
    try {
      waiting.resolve(JSON.parse(line) as FromEndpoint);
    } catch {
      waiting.reject(new Error('its answer is not JSON'));
      socket.destroy();
    }
  }

  #failAll(error: Error): void {
    for (const { reject, timer } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
  }
}
