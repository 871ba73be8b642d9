/** Nodes that answer from a store: every command has its bytes, as a real node once gave them. */
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { Decoder } from '../../src/resp/decode.ts';
import type { SimulatedNode } from './simulated-fleet.ts';

const OK = Buffer.from('+OK\r\n');

export class StoredAnswers {
  /** Commands that no answer was stored for: the figures mean nothing then. */
  readonly unanswered = new Set<string>();
  /** Answers given. */
  given = 0;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();

  /** Listens where the nodes would. */
  async listen(nodes: readonly SimulatedNode[]): Promise<void> {
    for (const node of nodes) {
      const server = createServer((socket) => this.#serve(socket, node));
      server.listen(node.port, node.host);
      await once(server, 'listening');
      this.#servers.push(server);
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers) server.close();
  }

  #serve(socket: Socket, { answers }: SimulatedNode): void {
    const decoder = new Decoder();
    this.#sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (chunk: Buffer) => {
      decoder.push(chunk);
      const parts: Buffer[] = [];
      for (let words = decoder.next(); words !== undefined; words = decoder.next()) {
        parts.push(this.#answer(words as string[], answers));
      }
      socket.write(Buffer.concat(parts));
    });
  }

  #answer(words: readonly string[], answers: SimulatedNode['answers']): Buffer {
    this.given += 1;
    if (words[0] === 'AUTH') return OK;
    const command = words.join(' ');
    const answer = answers.get(command);
    if (answer) return answer;
    this.unanswered.add(command);
    return Buffer.from('-ERR no answer is stored\r\n');
  }
}
