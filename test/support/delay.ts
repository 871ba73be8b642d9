/** A TCP relay that makes everything late: what comes in passes on after a while, both ways, in order. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export class DelayRelay {
  /** One way, in milliseconds. */
  delayMs: number;
  readonly #target: { host: string; port: number };
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  /** Listens at a free port of `host`, in front of `target`. */
  static async start(host: string, target: { host: string; port: number }, delayMs: number): Promise<DelayRelay> {
    const relay = new DelayRelay(target, delayMs);
    relay.#server.listen(0, host);
    await once(relay.#server, 'listening');
    return relay;
  }

  private constructor(target: { host: string; port: number }, delayMs: number) {
    this.#target = target;
    this.delayMs = delayMs;
    this.#server = createServer((client) => this.#accept(client));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(client: Socket): void {
    const server = connect(this.#target);
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (data) => setTimeout(() => to.write(data), this.delayMs));
      from.on('end', () => setTimeout(() => to.end(), this.delayMs));
      from.on('error', () => to.destroy());
      from.on('close', () => this.#sockets.delete(from));
    }
  }
}
