/** A client that says exactly what it is told to, byte for byte. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { encodeCommand } from '../../src/resp/encode.ts';
import { ReplyScanner } from '../../src/resp/reply-scanner.ts';

const WAIT_MS = 10_000;

export class ByteClient {
  readonly socket: Socket;
  /** Whole replies that nobody has taken, as they came. */
  readonly #replies: string[] = [];
  readonly #scanner = new ReplyScanner();
  #part = '';
  #wanted: (() => void)[] = [];
  isClosed = false;

  /** `keeps`: its replies are looked at; else they are thrown away. `ca`: it speaks TLS and believes this authority. */
  constructor(port: number, host = '127.0.0.1', keeps = true, ca?: string) {
    this.socket = ca === undefined ? connect({ port, host }) : connectTls({ port, host, ca });
    this.socket.setNoDelay(true);
    this.socket.on('error', () => {});
    this.socket.on('data', (bytes: Buffer) => {
      if (keeps) this.#received(bytes);
    });
    this.socket.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
  }

  #received(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const next = this.#scanner.scan(bytes, at, bytes.length);
      this.#part += bytes.toString('latin1', at, next < 0 ? bytes.length : next);
      if (next < 0) break;
      this.#replies.push(this.#part);
      this.#part = '';
      at = next;
    }
    this.#wake();
  }

  #wake(): void {
    const wanted = this.#wanted;
    this.#wanted = [];
    for (const resolve of wanted) resolve();
  }

  write(bytes: Buffer | string): void {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  }

  send(...args: (string | number | Buffer)[]): void {
    this.socket.write(encodeCommand(args));
  }

  /** The next reply, whole. @throws Error when the connection ends before it, or it takes too long */
  async next(withinMs = WAIT_MS): Promise<string> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined) return reply;
      if (this.isClosed) throw new Error('the connection was closed instead of a reply');
      await this.#something(deadline, 'no reply');
    }
  }

  async ask(...args: (string | number | Buffer)[]): Promise<string> {
    this.send(...args);
    return this.next();
  }

  /** Waits until the connection is closed. @returns the replies that came before */
  async closed(withinMs = WAIT_MS): Promise<string[]> {
    const deadline = performance.now() + withinMs;
    while (!this.isClosed) await this.#something(deadline, 'the connection is still open');
    return this.#replies.splice(0);
  }

  async #something(deadline: number, what: string): Promise<void> {
    const leftMs = deadline - performance.now();
    if (leftMs <= 0) throw new Error(`${what} in time`);
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([
      new Promise<void>((resolve) => this.#wanted.push(resolve)),
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, leftMs);
      }),
    ]);
    clearTimeout(timer);
  }

  /** Resolves when it is connected. */
  async connected(): Promise<this> {
    const { socket } = this;
    if (socket instanceof TLSSocket) await once(socket, 'secureConnect');
    else if (socket.connecting) await once(socket, 'connect');
    return this;
  }

  destroy(): void {
    this.socket.destroy();
  }
}
