/** A client that sends what it is told and keeps the bytes that come back. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeCommand } from '../../src/resp/encode.ts';
import { until } from './endpoint-scene.ts';

export class RawClient {
  /** What has come and was not expected yet. */
  received = '';
  isEnded = false;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => {
      this.received += bytes.toString('latin1');
    });
    socket.on('close', () => {
      this.isEnded = true;
    });
    socket.on('error', () => {});
  }

  static async open({ host, port }: { host: string; port: number }): Promise<RawClient> {
    const socket = connect(port, host);
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Sends commands in one piece, each of words without spaces. */
  send(...commands: string[]): void {
    this.#socket.write(Buffer.concat(commands.map((command) => encodeCommand(command.split(' ')))));
  }

  /** Sends them, and expects these bytes (lines, each without its end) and no others. */
  async says(command: string | string[], ...lines: string[]): Promise<void> {
    this.send(...[command].flat());
    await this.hears(...lines);
  }

  /** Expects these lines next. */
  async hears(...lines: string[]): Promise<void> {
    const wanted = lines.map((line) => `${line}\r\n`).join('');
    await until(
      `received: ${JSON.stringify(wanted)}`,
      async () => {
        if (this.received.startsWith(wanted)) return true;
        if (wanted.startsWith(this.received)) return false;
        throw new Error(`expected ${JSON.stringify(wanted)}, received ${JSON.stringify(this.received)}`);
      },
      5_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; received: ${JSON.stringify(this.received)}`);
    });
    this.received = this.received.slice(wanted.length);
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#socket.destroy();
  }
}
