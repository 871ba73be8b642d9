/** A TCP relay in front of an HTTP server that can lose what passes through it, or hold it back. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

const HOST = '127.0.0.1';

interface Connection {
  client: Socket;
  server: Socket;
  /** The next answer is lost. */
  loses: boolean;
  /** What has come since it was held back; null when it is not. */
  held: Buffer[] | null;
}

export class Relay {
  readonly #target: URL;
  readonly #connections = new Set<Connection>();
  readonly #hearers = new Set<{ text: string; resolve: () => void }>();
  #listener: Server | null = null;
  #port = 0;
  #losing: { path: string; times: number } | null = null;
  #holding: string | null = null;

  /** @param target such as `http://127.0.0.1:2379` */
  static async start(target: string): Promise<Relay> {
    const relay = new Relay(target);
    await relay.restore();
    return relay;
  }

  private constructor(target: string) {
    this.#target = new URL(target);
  }

  get url(): string {
    return `http://${HOST}:${this.#port}`;
  }

  /** Ends all connections and refuses new ones; to be called in the end, too. */
  cut(): void {
    this.#listener?.close();
    this.#listener = null;
    for (const { client, server } of this.#connections) {
      client.destroy();
      server.destroy();
    }
    this.#connections.clear();
  }

  /** Lets connections come again, at the same port. */
  async restore(): Promise<void> {
    this.#listener = createServer((client) => this.#accept(client)).listen(this.#port, HOST);
    await once(this.#listener, 'listening');
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  /** Requests to `path` go through; instead of the answer the connection ends, so many times. */
  loseAnswers(path: string, times: number): void {
    this.#losing = { path, times };
  }

  /** Requests to `path` are held back, also when their client goes away. */
  hold(path: string): void {
    this.#holding = path;
  }

  /** Holds back no more; what was held back stays so. */
  holdNoMore(): void {
    this.#holding = null;
  }

  /** Lets go what was held back; resolves when the server has answered all of it. */
  async release(): Promise<void> {
    this.holdNoMore();
    const held = [...this.#connections].filter((connection) => connection.held !== null);
    await Promise.all(
      held.map(async (connection) => {
        const answered = once(connection.server, 'data');
        for (const chunk of connection.held!) connection.server.write(chunk);
        connection.held = null;
        await answered;
      }),
    );
  }

  /** Resolves when the server says this. */
  hears(text: string): Promise<void> {
    return new Promise((resolve) => this.#hearers.add({ text, resolve }));
  }

  #accept(client: Socket): void {
    const server = connect(Number(this.#target.port), this.#target.hostname);
    const connection: Connection = { client, server, loses: false, held: null };
    this.#connections.add(connection);
    client.on('error', () => {}).on('data', (chunk: Buffer) => this.#fromClient(connection, chunk));
    server.on('error', () => {}).on('data', (chunk: Buffer) => this.#fromServer(connection, chunk));
    client.on('close', () => {
      if (connection.held === null) server.destroy();
    });
    server.on('close', () => {
      client.destroy();
      this.#connections.delete(connection);
    });
  }

  #fromClient(connection: Connection, chunk: Buffer): void {
    const asksFor = (path: string): boolean => chunk.includes(`POST ${path} `);
    if (this.#holding !== null && asksFor(this.#holding)) connection.held ??= [];
    if (this.#losing !== null && this.#losing.times > 0 && asksFor(this.#losing.path)) {
      this.#losing.times -= 1;
      connection.loses = true;
    }
    if (connection.held === null) connection.server.write(chunk);
    else connection.held.push(chunk);
  }

  #fromServer(connection: Connection, chunk: Buffer): void {
    for (const hearer of this.#hearers) {
      if (!chunk.includes(hearer.text)) continue;
      this.#hearers.delete(hearer);
      hearer.resolve();
    }
    if (connection.loses) connection.client.destroy();
    else if (!connection.client.destroyed) connection.client.write(chunk);
  }
}
