/** The agent of a machine that is not there: it speaks the agents' protocol, and its nodes never change. */
import { randomUUID } from 'node:crypto';
import WebSocket from 'ws';
import type { EndpointView } from '../../src/domain/view.ts';
import {
  AGENT_PATH,
  AGENT_PROTOCOL,
  type AgentRequests,
  type FromAgent,
  type Request,
  type ToAgent,
} from '../../src/protocol/agent-messages.ts';
import type { SimulatedMachine } from './simulated-fleet.ts';

const MEMORY_BYTES = 8 * 1024 ** 3;
const METRICS_PORT = 9121;

export interface AgentWorld {
  /** Of the control plane's API. */
  url: string;
  token: string;
  engineVersion: string;
  /** Operations that a quiet fleet is not asked for: the figures mean nothing then. */
  unexpected: Set<string>;
}

export class SimulatedAgent {
  /** Told so far. */
  reports = 0;
  readonly #machine: SimulatedMachine;
  readonly #world: AgentWorld;
  readonly #instance = randomUUID();
  #socket: WebSocket | null = null;
  #endpoint: EndpointView;
  #turn = 0;

  constructor(machine: SimulatedMachine, world: AgentWorld) {
    this.#machine = machine;
    this.#world = world;
    this.#endpoint = { pid: 1, metricsPort: METRICS_PORT, problem: null, databases: [] };
  }

  /** Connects and says hello; resolves when the control plane has read it. */
  async connect(): Promise<void> {
    const { url, token } = this.#world;
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}${AGENT_PATH}`, {
      headers: { authorization: `Bearer ${token}` },
      perMessageDeflate: false,
      localAddress: this.#machine.address,
    });
    this.#socket = socket;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    socket.once('open', () => this.#tell(this.#hello()));
    socket.on('message', (data) => {
      const message = JSON.parse(String(data)) as ToAgent;
      if (message.type === 'welcome') resolve();
      else if (message.type === 'request') this.#requested(message);
    });
    socket.once('error', reject);
    socket.once('close', (code, reason) =>
      reject(new Error(`${this.#machine.name} was turned away: ${code} ${reason}`)),
    );
    await promise;
  }

  /**
   * Tells of the next of its nodes: as while clients write, only when its data was last written; with news, that its
   * nodes.conf is another than before, too.
   */
  report(hasNews: boolean): void {
    const { nodes } = this.#machine;
    this.reports += 1;
    this.#turn = (this.#turn + 1) % nodes.length;
    const { report } = nodes[this.#turn]!;
    const { claim } = report.disk;
    const told = hasNews && claim ? { ...claim, configEpoch: this.reports } : claim;
    this.#tell({ type: 'node', node: { ...report, disk: { ...report.disk, claim: told, dataAt: Date.now() } } });
  }

  /** Without a word, as when its process is killed. */
  drop(): void {
    this.#socket?.terminate();
    this.#socket = null;
  }

  #hello(): FromAgent {
    const { name: machine, address, zone, nodes } = this.#machine;
    return {
      ...{ type: 'hello', protocol: AGENT_PROTOCOL, machine, address, zone, memoryBytes: MEMORY_BYTES },
      ...{ pid: 1, instance: this.#instance, engineVersion: this.#world.engineVersion, tls: false, certificate: null },
      endpoint: this.#endpoint,
      neighbourPort: null,
      nodes: nodes.map(({ report }) => report),
    };
  }

  #tell(message: FromAgent): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  #requested({ id, operation, args }: Request): void {
    if (operation === 'serve_endpoint') {
      this.#serve(args as AgentRequests['serve_endpoint']['args']);
    } else if (operation !== 'nudge_endpoint' && operation !== 'guard_databases') {
      this.#world.unexpected.add(operation);
    }
    this.#tell({ type: 'reply', id, result: {} });
  }

  /** The endpoint serves at once whatever it is told, and says so. */
  #serve({ databases }: AgentRequests['serve_endpoint']['args']): void {
    const before = JSON.stringify(this.#endpoint);
    const served = databases.map(({ uid, port }) => ({ uid, port, problem: null }));
    this.#endpoint = { ...this.#endpoint, databases: served };
    if (JSON.stringify(this.#endpoint) !== before) this.#tell({ type: 'endpoint', endpoint: this.#endpoint });
  }
}
