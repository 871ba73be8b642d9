/**
 * The agents that are connected: what they last told, and requests to them. An agent that is away is remembered with
 * its machine, but nothing it said of its nodes is believed any more.
 */
import { EventEmitter } from 'node:events';
import { isDeepStrictEqual } from 'node:util';
import type { WebSocket } from 'ws';
import type { NodeAssignment } from '../domain/database.ts';
import { fromErrorDocument, toErrorDocument, ValkeeperError } from '../domain/errors.ts';
import type { FailoverRecord } from '../domain/failover.ts';
import { byName, type NodeId } from '../domain/ids.ts';
import type { CertificateView, DiskSpace, EndpointView } from '../domain/view.ts';
import type { Clock, EndTimer } from '../platform/clock.ts';
import type {
  AgentOperation,
  AgentRequests,
  FromAgent,
  Hello,
  NodeReport,
  Request,
  ToAgent,
} from '../protocol/agent-messages.ts';
import type { AgentCaller } from './agent-caller.ts';

/** An agent that is asked whether it is still there, because another comes in its name, answers within this time. */
const ANSWER_MS = 2_000;

/** What is left on a machine that was taken out, gets so long to end. */
const DISMISSED_GRACE_MS = 5_000;

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
  /** What it shows of itself; null while its agent is away, and on a local machine. */
  certificate: CertificateView | null;
  /** Where its agent answers those of other machines; null when it does not. */
  neighbourPort: number | null;
  /** Where its nodes write; absent until its agent has told. */
  disk?: DiskSpace;
}

/** Its nodes change in place: they are told of most often. */
interface KnownMachine extends Machine {
  nodes: Map<NodeId, NodeReport>;
}

interface Waiting {
  resolve: (result: never) => void;
  reject: (error: Error) => void;
  endTimer: EndTimer;
}

/** What a session needs of the connection to its agent; a WebSocket on real machines. */
export type AgentSocket = Pick<WebSocket, 'send' | 'close'> & Partial<Pick<WebSocket, 'ping' | 'once' | 'off'>>;

interface AgentEvents {
  /** A machine's agent came or went. */
  machine: [machine: Machine];
  /** Something about a node changed; that its agent told the same again is no change. */
  node: [databaseUid: string, id: NodeId];
  /** What a machine's agent says of its endpoint, before and now. */
  endpoint: [before: EndpointView | null, now: EndpointView];
  /** A machine's certificate was renewed, or could not be. */
  certificate: [machine: string, certificate: CertificateView];
  /** A machine's agent made a failover, or knows more of it: the version of its record grows. */
  failover: [machine: string, record: FailoverRecord, version: number];
  /** An agent of another version was turned away. */
  'other-protocol': [machine: string, protocol: number];
  /** An agent was turned away: the machine that it named, if any, and why. */
  refused: [who: string, machine: string | null, error: ValkeeperError];
}

/** The registry; emits `machine`, `node`, `endpoint`, `certificate`, `failover`, `other-protocol` and `refused`. */
export class Agents extends EventEmitter<AgentEvents> {
  readonly #sessions = new Map<string, AgentSession>();
  readonly #machines = new Map<string, KnownMachine>();
  /** All in order, as `machines()` told them last; null when one has changed since. */
  #inOrder: readonly Machine[] | null = null;
  /** The protocol of each agent that was turned away: it comes again every other second. */
  readonly #turnedAway = new Map<string, number>();
  /** Why an agent is not let in; null when it is. */
  admits: (hello: Hello, caller: AgentCaller) => ValkeeperError | null = () => null;
  readonly #clock: Clock;
  readonly #mayAct: () => boolean;

  /** @param mayAct whether requests may be sent at this moment: not by one that leads no longer */
  constructor(clock: Clock, mayAct: () => boolean = () => true) {
    super();
    this.#clock = clock;
    this.#mayAct = mayAct;
  }

  /** In the order of their names; the very same list until one of them changes in anything but its nodes. */
  machines(): readonly Machine[] {
    this.#inOrder ??= [...this.#machines.values()].sort((a, b) => byName(a.name, b.name));
    return this.#inOrder;
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

  /**
   * Whether another agent than this one is connected for the machine, and answers. One that is cut off without a word
   * is not known to be gone: it is asked.
   */
  async isHeldByAnother({ machine, instance }: Pick<Hello, 'machine' | 'instance'>): Promise<boolean> {
    const present = this.#sessions.get(machine);
    return present !== undefined && present.instance !== instance && (await present.answers());
  }

  /** An agent said hello over this socket: it takes the place of one that was there before. */
  welcome(socket: AgentSocket, hello: Hello): AgentSession {
    this.#sessions.get(hello.machine)?.close('another agent took its place');
    const session = new AgentSession(socket, hello, this.#clock);
    this.#sessions.set(hello.machine, session);
    this.#turnedAway.delete(hello.machine);
    const { machine: name, address, zone, tls, memoryBytes, endpoint, certificate, neighbourPort } = hello;
    const nodes = new Map(hello.nodes.map((node) => [node.id, node]));
    const since = this.#clock.now();
    const told = { name, address, zone, tls, memoryBytes, endpoint, certificate, neighbourPort };
    this.#set({ ...told, connected: true, since, nodes });
    return session;
  }

  /** An agent said hello in another version of the protocol; it is told once, and told again only when the version changes. */
  turnedAway({ machine, protocol }: Pick<Hello, 'machine' | 'protocol'>): void {
    if (this.#turnedAway.get(machine) === protocol) return;
    this.#turnedAway.set(machine, protocol);
    this.emit('other-protocol', machine, protocol);
  }

  /** A machine is not let in any more: its agent is told why, stops what it runs, and ends. One that is away, later. */
  async dismiss(machine: string, error: ValkeeperError): Promise<void> {
    const session = this.#sessions.get(machine);
    if (!session) return;
    session.refuse(error);
    const args = { graceMs: DISMISSED_GRACE_MS };
    await session.request('shut_down', args, DISMISSED_GRACE_MS * 2).catch(() => {}); // it is let in no more anyway
    session.close(error.code);
  }

  /** The session is over. */
  left(session: AgentSession): void {
    if (this.#sessions.get(session.machine) !== session) return;
    this.#sessions.delete(session.machine);
    const machine = this.#machines.get(session.machine)!;
    this.#set({
      ...machine,
      connected: false,
      since: this.#clock.now(),
      nodes: new Map(),
      endpoint: null,
      certificate: null,
    });
  }

  heard(machineName: string, message: FromAgent): void {
    const machine = this.#machines.get(machineName);
    if (!machine) return;
    if (message.type === 'node') {
      const { node } = message;
      const before = machine.nodes.get(node.id);
      machine.nodes.set(node.id, node);
      if (!before || isNews(before, node)) this.emit('node', node.databaseUid, node.id);
    }
    if (message.type === 'endpoint') {
      this.#keep({ ...machine, endpoint: message.endpoint });
      this.emit('endpoint', machine.endpoint, message.endpoint);
    }
    if (message.type === 'disk') this.#keep({ ...machine, disk: message.disk }); // the next look sees it
    if (message.type === 'certificate') {
      this.#keep({ ...machine, certificate: message.certificate });
      this.emit('certificate', machineName, message.certificate);
    }
    if (message.type === 'failover') this.emit('failover', machineName, message.record, message.version);
    if (message.type === 'node-removed') {
      const gone = machine.nodes.get(message.id);
      machine.nodes.delete(message.id);
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

  #set(machine: KnownMachine): void {
    this.#keep(machine);
    this.emit('machine', machine);
  }

  #keep(machine: KnownMachine): void {
    this.#machines.set(machine.name, machine);
    this.#inOrder = null;
  }
}

/** When the data of a process that runs was last written is of no interest before it has ended, and that is told. */
function isNews(before: NodeReport, now: NodeReport): boolean {
  const dataAt = now.process.state === 'running' ? now.disk.dataAt : before.disk.dataAt;
  return !isDeepStrictEqual({ ...before, disk: { ...before.disk, dataAt } }, now);
}

/** One connected agent and the requests it has not answered. */
export class AgentSession {
  readonly machine: string;
  readonly instance: string;
  readonly #socket: AgentSocket;
  readonly #clock: Clock;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 1;

  constructor(socket: AgentSocket, { machine, instance }: Pick<Hello, 'machine' | 'instance'>, clock: Clock) {
    this.#socket = socket;
    this.machine = machine;
    this.instance = instance;
    this.#clock = clock;
  }

  /** Whether the agent gives a sign of life, asked for now. */
  answers(): Promise<boolean> {
    const socket = this.#socket;
    return new Promise((resolve) => {
      const done = (answer: boolean) => (): void => {
        endTimer();
        socket.off?.('pong', alive);
        socket.off?.('close', gone);
        resolve(answer);
      };
      const [alive, gone] = [done(true), done(false)];
      const endTimer = this.#clock.timer(ANSWER_MS, gone);
      socket.once?.('pong', alive);
      socket.once?.('close', gone);
      socket.ping?.();
    });
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

  refuse(error: ValkeeperError): void {
    this.send({ type: 'refused', error: toErrorDocument(error) });
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
