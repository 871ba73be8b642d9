/** A stand-in for the control plane, as an agent sees it: a WebSocket that takes its hello and sends it requests. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { type ErrorDocument, fromErrorDocument } from '../../src/domain/errors.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type AgentOperation,
  type AgentRequests,
  type FleetTerm,
  type FromAgent,
  type Hello,
  type NodeReport,
  type Welcome,
} from '../../src/protocol/agent-messages.ts';

/** A failsafe, not a measure: what a test waits for happens long before. */
const PATIENCE_MS = 20_000;

/** One connection of an agent, from its hello to its end. */
export class FakeSession {
  readonly hello: Hello;
  /** The agent's nodes as it last told. */
  readonly nodes = new Map<string, NodeReport>();
  /** Resolves when the connection has ended. */
  readonly ended: Promise<void>;
  /** The machine's endpoint as its agent last told. */
  endpoint: Hello['endpoint'];
  readonly #socket: WebSocket;
  readonly #replies = new Map<number, (reply: { result: unknown } | { error: ErrorDocument }) => void>();
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  constructor(socket: WebSocket, hello: Hello) {
    this.#socket = socket;
    this.hello = hello;
    this.endpoint = hello.endpoint;
    for (const node of hello.nodes) this.nodes.set(node.id, node);
    this.ended = new Promise((resolve) => socket.once('close', () => resolve()));
  }

  /** Sends a request. @throws ValkeeperError when the agent answers with an error */
  async request<O extends AgentOperation>(
    operation: O,
    args: AgentRequests[O]['args'],
  ): Promise<AgentRequests[O]['result']> {
    const id = ++this.#lastId;
    const { promise, resolve } = Promise.withResolvers<{ result: unknown } | { error: ErrorDocument }>();
    this.#replies.set(id, resolve);
    this.sendText(JSON.stringify({ type: 'request', id, operation, args }));
    const reply = await inTime(promise, `a reply to ${operation}`);
    if ('error' in reply) throw fromErrorDocument(reply.error);
    return reply.result as AgentRequests[O]['result'];
  }

  /** Sends any text, well-formed or not. */
  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Waits until the agent's nodes, or its endpoint, are as told. @returns the time it was so, of `performance.now()` */
  async until(what: string, holds: (nodes: ReadonlyMap<string, NodeReport>) => boolean): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const look = (): void => {
      if (holds(this.nodes)) resolve(performance.now());
    };
    this.#watchers.add(look);
    look();
    try {
      return await inTime(promise, what);
    } finally {
      this.#watchers.delete(look);
    }
  }

  /** Breaks the connection without a word. */
  cut(): void {
    this.#socket.terminate();
  }

  heard(message: FromAgent): void {
    if (message.type === 'reply') {
      this.#replies.get(message.id)?.(message);
      this.#replies.delete(message.id);
    }
    if (message.type === 'node') this.nodes.set(message.node.id, message.node);
    if (message.type === 'endpoint') this.endpoint = message.endpoint;
    if (message.type === 'node-removed') this.nodes.delete(message.id);
    for (const look of this.#watchers) look();
  }
}

export interface FakeControl {
  url: string;
  token: string;
  /** The next connection of this machine's agent that no call has been given yet. */
  agent(machine: string): Promise<FakeSession>;
  close(): Promise<void>;
  /** How often an agent has said hello here. */
  readonly hellos: number;
}

export interface FakeControlOptions {
  term?: FleetTerm | null;
  /** Where it says that the fleet's servers are. */
  servers?: readonly string[];
}

/** Listens on a free port of 127.0.0.1. */
export async function startFakeControl({ term = null, servers = [] }: FakeControlOptions = {}): Promise<FakeControl> {
  const token = 'token-of-the-test';
  const server = createServer();
  const sockets = new WebSocketServer({
    server,
    path: AGENT_PATH,
    verifyClient: ({ req }: { req: IncomingMessage }) => req.headers.authorization === `Bearer ${token}`,
  });
  let hellos = 0;
  const arrived = new Map<string, FakeSession[]>();
  const wanted = new Map<string, ((session: FakeSession) => void)[]>();
  sockets.on('connection', (socket) => {
    let session: FakeSession | null = null;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as FromAgent;
      if (message.type !== 'hello') return session?.heard(message);
      hellos += 1;
      session = new FakeSession(socket, message);
      const welcome: Welcome = { type: 'welcome', protocol: AGENT_PROTOCOL, term, servers, silenceMs: 15_000 };
      socket.send(JSON.stringify(welcome));
      const taker = wanted.get(message.machine)?.shift();
      if (taker) taker(session);
      else arrived.set(message.machine, [...(arrived.get(message.machine) ?? []), session]);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    get hellos() {
      return hellos;
    },
    agent(machine) {
      const session = arrived.get(machine)?.shift();
      if (session) return Promise.resolve(session);
      const { promise, resolve } = Promise.withResolvers<FakeSession>();
      wanted.set(machine, [...(wanted.get(machine) ?? []), resolve]);
      return inTime(promise, `the agent of ${machine}`);
    },
    async close() {
      for (const socket of sockets.clients) socket.terminate();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function inTime<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${what}: not within ${PATIENCE_MS} ms`)), PATIENCE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
