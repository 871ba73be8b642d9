/** The simplest thing that can stand in front of an engine: it hands on bytes. To test what tells good from bad. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Transform } from 'node:stream';
import type { Address } from './run-unit.ts';

/** What it does wrong: a command that the engine never gets to know by its name, or one that is swallowed. */
export interface Fault {
  command: string;
  how: 'unknown' | 'no answer';
}

export class PassThrough implements AsyncDisposable {
  readonly address: Address;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, sockets: Set<Socket>) {
    const { address, port } = server.address() as { address: string; port: number };
    this.address = { host: address, port };
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(target: Address, fault: Fault | null = null): Promise<PassThrough> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
      const engine = connect({ ...target, noDelay: true, allowHalfOpen: true });
      for (const [socket, other] of [
        [client, engine],
        [engine, client],
      ] as const) {
        sockets.add(socket);
        socket.on('error', () => other.destroy());
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
      }
      if (fault === null) client.pipe(engine);
      else client.pipe(breaking(fault)).pipe(engine);
      engine.pipe(client);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new PassThrough(server, sockets);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** A command in one piece is enough: the suite's client writes each as a whole. */
function breaking({ command, how }: Fault): Transform {
  const name = new RegExp(`(\\$${command.length}\\r\\n)${command}(\\r\\n)`, 'gi');
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const text = chunk.toString('latin1');
      if (!name.test(text)) return done(null, chunk);
      name.lastIndex = 0;
      if (how === 'no answer') return done(null, Buffer.alloc(0));
      done(null, Buffer.from(text.replace(name, `$1${'?'.repeat(command.length)}$2`), 'latin1'));
    },
  });
}
