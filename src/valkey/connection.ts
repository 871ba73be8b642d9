/**
 * One connection to one node, for administration: commands are pipelined in the order they are given. It connects with
 * the first command and again after a loss. A command that is not answered in time costs the connection: its late
 * answer must never be taken for the answer to a later command.
 */
import { connect, type Socket } from 'node:net';
import { Decoder } from '../resp/decode.ts';
import { type CommandArgument, encodeCommand } from '../resp/encode.ts';
import { ProtocolError, Push, type Reply, ReplyError } from '../resp/reply.ts';

export interface NodeConnectionOptions {
  host: string;
  port: number;
  username?: string;
  password?: string;
  connectTimeoutMs: number;
  commandTimeoutMs: number;
  /** Commands that may wait for an answer at once. */
  maxQueued: number;
  /** The connection is lost; not called by `close()`. */
  onLost?: () => void;
}

export type UnreachableReason = 'refused' | 'timeout' | 'closed' | 'not_admitted' | 'too_many_commands';

/** The node did not answer: whether the command took effect is unknown, unless the reason says it was never sent. */
export class EngineUnreachable extends Error {
  override readonly name = 'EngineUnreachable';
  readonly reason: UnreachableReason;

  constructor(reason: UnreachableReason, detail: string) {
    super(detail);
    this.reason = reason;
  }
}

/** The node answered with an error. */
export class EngineReplyError extends Error {
  override readonly name = 'EngineReplyError';
  /** The error's first word. */
  readonly code: string;

  constructor(command: string, { code, message }: ReplyError) {
    super(`${command}: ${message}`);
    this.code = code;
  }
}

interface Pending {
  resolve: (reply: Reply) => void;
  reject: (error: EngineUnreachable) => void;
  timer: NodeJS.Timeout;
}

export class NodeConnection {
  readonly #options: NodeConnectionOptions;
  #link: Promise<Link> | null = null;

  constructor(options: NodeConnectionOptions) {
    this.#options = options;
  }

  /** The answer. @throws EngineReplyError for an error reply, EngineUnreachable when there is none */
  async command(...args: CommandArgument[]): Promise<Reply> {
    const [reply] = await this.pipeline([args]);
    if (reply instanceof ReplyError) throw new EngineReplyError(String(args[0]), reply);
    return reply!;
  }

  /** The answers, in order; error replies stay in their places. @throws EngineUnreachable when one is missing */
  async pipeline(commands: readonly (readonly CommandArgument[])[]): Promise<Reply[]> {
    const link = await this.#connected();
    return Promise.all(commands.map((args) => link.send(args)));
  }

  /** Connects if it is not connected. @throws EngineUnreachable */
  async open(): Promise<void> {
    await this.#connected();
  }

  /** Ends the connection; what waits for an answer is told so. A later command connects anew. */
  close(): void {
    const link = this.#link;
    this.#link = null;
    link?.then((open) => open.end(new EngineUnreachable('closed', 'closed by us'), false)).catch(() => {});
  }

  #connected(): Promise<Link> {
    if (this.#link) return this.#link;
    const link = openLink(this.#options, (lost) => {
      if (this.#link === link) this.#link = null;
      if (lost) this.#options.onLost?.();
    });
    this.#link = link;
    link.catch(() => {
      if (this.#link === link) this.#link = null;
    });
    return link;
  }
}

/** An open socket and the commands that wait on it. */
class Link {
  readonly #socket: Socket;
  readonly #options: NodeConnectionOptions;
  readonly #onEnd: (lost: boolean) => void;
  readonly #decoder = new Decoder();
  readonly #pending: Pending[] = [];
  #ended = false;

  constructor(socket: Socket, options: NodeConnectionOptions, onEnd: (lost: boolean) => void) {
    this.#socket = socket;
    this.#options = options;
    this.#onEnd = onEnd;
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.end(new EngineUnreachable('closed', error.message), true));
    socket.on('close', () => this.end(new EngineUnreachable('closed', 'the node closed the connection'), true));
  }

  send(args: readonly CommandArgument[]): Promise<Reply> {
    const { commandTimeoutMs, maxQueued } = this.#options;
    if (this.#ended) return Promise.reject(new EngineUnreachable('closed', 'the connection is closed'));
    if (this.#pending.length >= maxQueued) {
      return Promise.reject(
        new EngineUnreachable('too_many_commands', `${maxQueued} commands wait for answers already`),
      );
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.end(new EngineUnreachable('timeout', `no answer to ${args[0]} within ${commandTimeoutMs} ms`), true);
      }, commandTimeoutMs);
      this.#pending.push({ resolve, reject, timer });
      this.#socket.write(encodeCommand(args));
    });
  }

  end(why: EngineUnreachable, lost: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#socket.destroy();
    for (const { reject, timer } of this.#pending.splice(0)) {
      clearTimeout(timer);
      reject(why);
    }
    this.#onEnd(lost);
  }

  #received(chunk: Buffer): void {
    this.#decoder.push(chunk);
    try {
      for (let reply = this.#decoder.next(); reply !== undefined; reply = this.#decoder.next()) {
        if (!(reply instanceof Push)) this.#answer(reply);
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.end(new EngineUnreachable('closed', `the node does not speak RESP: ${error.message}`), true);
    }
  }

  #answer(reply: Reply): void {
    const waiting = this.#pending.shift();
    if (!waiting) return;
    clearTimeout(waiting.timer);
    waiting.resolve(reply);
  }
}

async function openLink(options: NodeConnectionOptions, onEnd: (lost: boolean) => void): Promise<Link> {
  const socket = await openSocket(options);
  const link = new Link(socket, options, onEnd);
  if (options.password === undefined) return link;
  const reply = await link.send(['AUTH', options.username ?? 'default', options.password]);
  if (!(reply instanceof ReplyError)) return link;
  const refusal = new EngineUnreachable('not_admitted', reply.message);
  link.end(refusal, false);
  throw refusal;
}

function openSocket({ host, port, connectTimeoutMs }: NodeConnectionOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 });
    const fail = (reason: UnreachableReason, detail: string): void => {
      clearTimeout(timer);
      socket.destroy();
      reject(new EngineUnreachable(reason, `${host}:${port}: ${detail}`));
    };
    const timer = setTimeout(() => fail('timeout', `no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    const failed = (error: Error): void => fail('refused', error.message);
    socket.once('error', failed);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', failed);
      resolve(socket);
    });
  });
}
