/**
 * The agents that are connected: what they last told, and requests to them. An agent that is away is remembered with
 * its machine, but nothing it said of its nodes is believed any more.
 */
import { EventEmitter } from 'node:events';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { NodeAssignment } from '../domain/database.ts';
import { fromErrorDocument, ValkeeperError } from '../domain/errors.ts';
import { byName, type NodeId } from '../domain/ids.ts';
import type { EndpointView } from '../domain/view.ts';
import type { Clock, EndTimer } from '../platform/clock.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type AgentOperation,
  type AgentRequests,
  type FleetTerm,
  type FromAgent,
  type Hello,
  MAX_MESSAGE_BYTES,
  type NodeReport,
  type Request,
  type ToAgent,
} from '../protocol/agent-messages.ts';

/** How often a silent agent is asked for a sign of life, and how long it may stay silent before it counts as away. */
const PING_INTERVAL_MS = 5_000;
/** An agent takes the silence of so many pings for the end of a connection. */
const SILENT_PINGS = 3;
/** An agent that says nothing after connecting is turned away. */
const HELLO_TIMEOUT_MS = 5_000;

/** One machine as the control plane knows it. */
export interface Machine {
  name: string;
  address: string;
  zone: string;
  /** It has credentials: nodes of new databases speak TLS there. */
  tls: boolean;
  memoryBytes: number;
  connected: boolean;
  /** Milliseconds since the epoch at which `connected` took its value. */
  since: number;
  /** What its agent says of its nodes; empty while it is away. */
  nodes: ReadonlyMap<NodeId, NodeReport>;
  /** Its endpoint process; null while its agent is away, or runs none. */
  endpoint: EndpointView | null;
}

interface Waiting {
  resolve: (result: never) => void;
  reject: (error: Error) => void;
  endTimer: EndTimer;
}

/** What a session needs of the connection to its agent; a WebSocket on real machines. */
export type AgentSocket = Pick<WebSocket, 'send' | 'close'>;

interface AgentEvents {
  /** A machine's agent came or went. */
  machine: [machine: Machine];
  /** Something about a node changed. */
  node: [databaseUid: string, id: NodeId];
  /** A machine's endpoint is not as it was. */
  endpoint: [machine: string];
  /** An agent of another version was turned away. */
  'other-protocol': [machine: string, protocol: number];
}

/** The registry; emits `machine`, `node`, `endpoint` and `other-protocol`. */
export class Agents extends EventEmitter<AgentEvents> {
  readonly #sessions = new Map<string, AgentSession>();
  readonly #machines = new Map<string, Machine>();
  /** The protocol of each agent that was turned away: it comes again every other second. */
  readonly #turnedAway = new Map<string, number>();
  /** Whether a machine is let in; one that was taken out of the fleet is not. */
  admits: (machine: string) => boolean = () => true;
  readonly #clock: Clock;
  readonly #mayAct: () => boolean;

  /** @param mayAct whether requests may be sent at this moment: not by one that leads no longer */
  constructor(clock: Clock, mayAct: () => boolean = () => true) {
    super();
    this.#clock = clock;
    this.#mayAct = mayAct;
  }

  machines(): Machine[] {
    return [...this.#machines.values()].sort((a, b) => byName(a.name, b.name));
  }

  /** What the node's agent says of it: a report, `absent` when the agent has no such node, `unknown` when it is away. */
  report(machine: string, id: NodeId): NodeReport | 'absent' | 'unknown' {
    const known = this.#machines.get(machine);
    if (!known?.connected) return 'unknown';
    return known.nodes.get(id) ?? 'absent';
  }

  /** No process of the node runs, as its agent knows for certain. */
  isGone({ machine, id }: Pick<NodeAssignment, 'machine' | 'id'>): boolean {
    const report = this.report(machine, id);
    return report === 'absent' || (report !== 'unknown' && report.process.state === 'exited');
  }

  /** @throws not_leader, agent_away when it is not connected or goes away, agent_timeout, or what the agent answers */
  request<O extends AgentOperation>(
    machine: string,
    operation: O,
    args: AgentRequests[O]['args'],
    timeoutMs: number,
  ): Promise<AgentRequests[O]['result']> {
    if (!this.#mayAct()) return Promise.reject(new ValkeeperError('not_leader'));
    const session = this.#sessions.get(machine);
    if (!session) return Promise.reject(new ValkeeperError('agent_away', { machine }));
    return session.request(operation, args, timeoutMs);
  }

  /** An agent said hello over this socket. */
  welcome(socket: AgentSocket, hello: Hello): AgentSession {
    this.#sessions.get(hello.machine)?.close('another agent took its place');
    const session = new AgentSession(socket, hello.machine, this.#clock);
    this.#sessions.set(hello.machine, session);
    this.#turnedAway.delete(hello.machine);
    const { machine: name, address, zone, tls, memoryBytes, endpoint } = hello;
    const nodes = new Map(hello.nodes.map((node) => [node.id, node]));
    const since = this.#clock.now();
    this.#set({ name, address, zone, tls, memoryBytes, connected: true, since, nodes, endpoint });
    return session;
  }

  /** An agent said hello in another version of the protocol; it is told once, and told again only when the version changes. */
  turnedAway({ machine, protocol }: Pick<Hello, 'machine' | 'protocol'>): void {
    if (this.#turnedAway.get(machine) === protocol) return;
    this.#turnedAway.set(machine, protocol);
    this.emit('other-protocol', machine, protocol);
  }

  /** The session is over. */
  left(session: AgentSession): void {
    if (this.#sessions.get(session.machine) !== session) return;
    this.#sessions.delete(session.machine);
    const machine = this.#machines.get(session.machine)!;
    this.#set({ ...machine, connected: false, since: this.#clock.now(), nodes: new Map(), endpoint: null });
  }

  heard(machineName: string, message: FromAgent): void {
    const machine = this.#machines.get(machineName);
    if (!machine) return;
    if (message.type === 'node') {
      const nodes = new Map(machine.nodes).set(message.node.id, message.node);
      this.#machines.set(machineName, { ...machine, nodes });
      this.emit('node', message.node.databaseUid, message.node.id);
    }
    if (message.type === 'endpoint') {
      this.#machines.set(machineName, { ...machine, endpoint: message.endpoint });
      this.emit('endpoint', machineName);
    }
    if (message.type === 'node-removed') {
      const nodes = new Map(machine.nodes);
      const gone = nodes.get(message.id);
      nodes.delete(message.id);
      this.#machines.set(machineName, { ...machine, nodes });
      if (gone) this.emit('node', gone.databaseUid, message.id);
    }
  }

  /** Tells every agent where the servers of the fleet are. */
  announce(servers: readonly string[]): void {
    for (const session of this.#sessions.values()) session.send({ type: 'servers', servers });
  }

  /** Closes every session; the agents and their nodes go on. */
  close(): void {
    for (const session of this.#sessions.values()) session.close('the control plane stops');
  }

  #set(machine: Machine): void {
    this.#machines.set(machine.name, machine);
    this.emit('machine', machine);
  }
}

/** One connected agent and the requests it has not answered. */
export class AgentSession {
  readonly machine: string;
  readonly #socket: AgentSocket;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(socket: AgentSocket, machine: string, clock: Clock) {
    this.#socket = socket;
    this.machine = machine;
    this.#clock = clock;
  }

  request<O extends AgentOperation>(
    operation: O,
    args: AgentRequests[O]['args'],
    timeoutMs: number,
  ): Promise<AgentRequests[O]['result']> {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const endTimer = this.#clock.timer(timeoutMs, () => {
        this.#waiting.delete(id);
        reject(new ValkeeperError('agent_timeout', { machine: this.machine, operation, seconds: timeoutMs / 1000 }));
      });
      this.#waiting.set(id, { resolve, reject, endTimer });
      const request: Request<O> = { type: 'request', id, operation, args };
      this.send(request);
    });
  }

  send(message: ToAgent): void {
    this.#socket.send(JSON.stringify(message));
  }

  answered(message: Extract<FromAgent, { type: 'reply' }>): void {
    const waiting = this.#waiting.get(message.id);
    if (!waiting) return; // it came after its time-out
    this.#waiting.delete(message.id);
    waiting.endTimer();
    if ('error' in message) waiting.reject(fromErrorDocument(message.error));
    else waiting.resolve(message.result as never);
  }

  close(reason: string): void {
    this.#socket.close(1001, reason);
    for (const { reject, endTimer } of this.#waiting.values()) {
      endTimer();
      reject(new ValkeeperError('agent_away', { machine: this.machine }));
    }
    this.#waiting.clear();
  }
}

/** Whom an agent meets here: a control plane that leads, or nobody, and where to go instead. */
export type AgentHost =
  | {
      agents: Agents;
      term: FleetTerm | null;
      servers: readonly string[];
      /** How often agents are asked for a sign of life, in ms. */
      pingMs?: number;
    }
  | { leader: string | null };

/**
 * Serves agents on the HTTP server's `AGENT_PATH`. Where nobody leads, they are sent to who does (307), or away (503).
 * @param isAuthorized says whether an upgrade request carries the agents' token
 */
export function serveAgents(
  server: Server,
  hostNow: () => AgentHost,
  isAuthorized: (request: IncomingMessage) => boolean,
): void {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE_BYTES, perMessageDeflate: false });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    if (request.url !== AGENT_PATH) return turnAway(socket, '404 Not Found');
    if (!isAuthorized(request)) return turnAway(socket, '401 Unauthorized');
    const host = hostNow();
    if ('agents' in host) sockets.handleUpgrade(request, socket, head, (webSocket) => serveAgent(webSocket, host));
    else if (host.leader === null) turnAway(socket, '503 Service Unavailable');
    else turnAway(socket, '307 Temporary Redirect', `Location: ${host.leader}${AGENT_PATH}\r\n`);
  });
}

function turnAway(socket: Duplex, status: string, header = ''): void {
  socket.on('error', () => {}); // who was turned away may be gone already
  socket.end(`HTTP/1.1 ${status}\r\n${header}Connection: close\r\n\r\n`);
}

type Leading = Extract<AgentHost, { agents: Agents }>;

function serveAgent(socket: WebSocket, { agents, term, servers, pingMs = PING_INTERVAL_MS }: Leading): void {
  let session: AgentSession | null = null;
  let alive = true;
  const silence = setTimeout(() => socket.close(1008, 'no hello'), HELLO_TIMEOUT_MS);
  const pings = setInterval(() => {
    if (!alive) return socket.terminate();
    alive = false;
    socket.ping();
  }, pingMs);
  socket.on('pong', () => {
    alive = true;
  });
  socket.on('message', (data) => {
    alive = true;
    const message = JSON.parse(String(data)) as FromAgent;
    if (message.type === 'hello') {
      clearTimeout(silence);
      if (message.protocol !== AGENT_PROTOCOL) {
        agents.turnedAway(message);
        return socket.close(1008, `agent protocol ${message.protocol} is not ${AGENT_PROTOCOL}`);
      }
      if (!agents.admits(message.machine)) return socket.close(1008, `${message.machine} was taken out of the fleet`);
      send(socket, { type: 'welcome', protocol: AGENT_PROTOCOL, term, servers, silenceMs: pingMs * SILENT_PINGS });
      session = agents.welcome(socket, message);
    } else if (message.type === 'reply') session?.answered(message);
    else if (session) agents.heard(session.machine, message);
  });
  socket.on('error', () => socket.terminate());
  socket.on('close', () => {
    clearTimeout(silence);
    clearInterval(pings);
    if (session) agents.left(session);
    session?.close('closed');
  });
}

const send = (socket: WebSocket, message: ToAgent): void => socket.send(JSON.stringify(message));
