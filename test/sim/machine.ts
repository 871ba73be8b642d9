/** A model of one machine: its agent, the directories of its nodes, and the processes that run from them. */

import { hasDied, requireEnd } from '../../src/agent/own-node.ts';
import { NOTHING_KNOWN, type RosterContent } from '../../src/agent/roster.ts';
import { DECLINED } from '../../src/agent/shard-keeper.ts';
import type { AgentSocket } from '../../src/control/agents.ts';
import { toErrorDocument, ValkeeperError } from '../../src/domain/errors.ts';
import type { NodeId } from '../../src/domain/ids.ts';
import type { StartAs } from '../../src/domain/start-as.ts';
import {
  AGENT_PROTOCOL,
  type AgentOperation,
  type AgentRequests,
  type FromAgent,
  type Hello,
  type Request,
  type ToAgent,
} from '../../src/protocol/agent-messages.ts';
import type { Answer, Question } from '../../src/protocol/neighbour-messages.ts';
import { AgentGuard, DOOR_PORT, type LifeSurroundings } from './agent/agent-guard.ts';
import type { NodeIdentity } from './engine/state.ts';
import { agentOf, CONTROL, type Network } from './network.ts';
import { Node, type NodeKeeper, type NodeSurroundings } from './node.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** An agent that hears nothing for so long ends its connection. */
const SILENCE_MS = 15_000;
/** The control plane's end of an agent's connection. */
export interface ControlEnd {
  received(message: FromAgent): void;
  closed(): void;
}

export interface MachineSurroundings extends NodeSurroundings {
  network: Network;
  /** How its agent acts by itself; null: it only does what it is asked to. */
  guarding: Pick<LifeSurroundings, 'rate' | 'random' | 'world'> | null;
  identityOf(id: NodeId, machine: Machine): NodeIdentity | null;
  /** The control plane that listens now; null while there is none. */
  dial(machine: Machine, agentEnd: AgentSocket): ControlEnd | null;
}

type Operations = { [O in AgentOperation]: (args: AgentRequests[O]['args']) => Promise<AgentRequests[O]['result']> };

interface Session {
  control: ControlEnd;
  heardAt: number;
}

export class Machine implements NodeKeeper {
  readonly name: string;
  readonly address: string;
  readonly zone: string;
  readonly memoryBytes: number;
  readonly nodes = new Map<NodeId, Node>();
  readonly #around: MachineSurroundings;
  agentUp = true;
  /** Since when its agent acts by itself; null: it does not. */
  guardedSince: number | null = null;
  /** Without power: nothing runs and nothing answers. */
  down = false;
  #session: Session | null = null;
  #retryMs = FIRST_RETRY_MS;
  /** Grows with every start of the agent: what an earlier one had begun is none of the present one's business. */
  life = 0;
  readonly #disk = { roster: NOTHING_KNOWN, writtenAt: 0 };
  #guard: AgentGuard | null = null;

  constructor(name: string, address: string, zone: string, memoryBytes: number, around: MachineSurroundings) {
    this.name = name;
    this.address = address;
    this.zone = zone;
    this.memoryBytes = memoryBytes;
    this.#around = around;
    this.#beginGuard();
    this.#dial();
    around.timeline.every(1_000, around.random.next() * 1_000, () => {
      const session = this.#session;
      if (session && around.timeline.now - session.heardAt > SILENCE_MS) this.#hangUp();
      return true;
    });
  }

  isLife(life: number): boolean {
    return this.agentUp && life === this.life;
  }

  /** What its agent knows. */
  get roster(): RosterContent {
    return this.#disk.roster;
  }

  /** Since when it has known that. */
  get rosterAt(): number {
    return this.#disk.writtenAt;
  }

  #beginGuard(): void {
    const { guarding } = this.#around;
    if (!guarding) return;
    this.guardedSince = this.#around.timeline.now;
    this.#guard = new AgentGuard({ ...guarding, machine: this.name, nodes: this.nodes, disk: this.#disk });
  }

  #endGuard(): void {
    this.guardedSince = null;
    this.#guard?.die();
    this.#guard = null;
  }

  /** A neighbour asks. */
  asked(version: number, question: Question, answer: (answer: Answer) => void): void {
    this.#guard?.asked(version, question, answer);
  }

  /** The agent's process ends; the nodes go on. */
  killAgent(): void {
    this.agentUp = false;
    this.#endGuard();
    this.#hangUp();
  }

  /** A new agent adopts what runs and learns what has ended. */
  startAgent(): void {
    if (this.agentUp || this.down) return;
    this.agentUp = true;
    this.life += 1;
    this.#retryMs = FIRST_RETRY_MS;
    for (const node of this.nodes.values()) node.adopt();
    this.#beginGuard();
    this.#dial();
  }

  losePower(): void {
    this.agentUp = false;
    this.#endGuard();
    this.#session = null;
    this.down = true;
    for (const node of this.nodes.values()) this.kill(node, true);
  }

  regainPower(): void {
    this.down = false;
    this.startAgent();
  }

  /** The process ends; its agent notices a moment later. */
  kill(node: Node, powerLost = false): void {
    const { engine } = node;
    if (!engine) return;
    node.die('crash', powerLost);
    const { life } = this;
    // A child's exit is told at once, an adopted process's by its connection, or by the look once a second.
    const delayMs = this.#around.random.chance(0.9)
      ? this.#around.random.between(1, 6)
      : this.#around.random.between(6, 1_000);
    this.#around.timeline.after(delayMs, () => {
      if (!this.isLife(life) || node.engine || node.process.state !== 'running') return;
      if (this.nodes.get(node.identity.id) !== node || node.process.pid !== engine.pid) return;
      node.noteExit('died', 'ended by SIGKILL');
      this.changed(node);
    });
  }

  /** A node is not as it was told last. */
  changed(node: Node): void {
    this.#tell({ type: 'node', node: node.report() });
    if (hasDied(node)) this.#guard?.nodeEnded(node.id);
  }

  #hello(): Hello {
    const { name: machine, address, zone, memoryBytes } = this;
    const nodes = [...this.nodes.values()].map((node) => node.report());
    return {
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      machine,
      address,
      zone,
      memoryBytes,
      pid: 1,
      instance: `${machine}-${this.life}`,
      engineVersion: '9.1.2',
      certificate: null,
      tls: false,
      nodes,
      endpoint: null,
      neighbourPort: this.#guard ? DOOR_PORT : null,
    };
  }

  /** Connects to the control plane, again and again until it is there. */
  #dial(): void {
    const { network, random, timeline } = this.#around;
    const life = this.life;
    const stale = (): boolean => !this.agentUp || life !== this.life || this.#session !== null;
    if (stale()) return;
    const retry = (): void => {
      timeline.after(this.#retryMs * random.between(0.5, 1), () => this.#dial());
      this.#retryMs = Math.min(LAST_RETRY_MS, this.#retryMs * 2);
    };
    if (!network.isOpen(agentOf(this.name), CONTROL) || !network.isOpen(CONTROL, agentOf(this.name))) {
      retry();
      return;
    }
    let session: Session | null = null;
    const end: AgentSocket = {
      send: (data: unknown) => {
        const text = String(data);
        network.stream(CONTROL, agentOf(this.name), () => {
          if (session && this.#session === session) this.#received(JSON.parse(text) as ToAgent, session);
        });
      },
      close: () => {
        network.stream(CONTROL, agentOf(this.name), () => {
          if (session && this.#session === session) this.#hangUp();
        });
      },
    };
    const control = this.#around.dial(this, end);
    if (!control) {
      retry();
      return;
    }
    session = { control, heardAt: timeline.now };
    this.#session = session;
    this.#tell(this.#hello());
  }

  #hangUp(): void {
    const session = this.#session;
    if (!session) return;
    this.#session = null;
    this.#around.network.stream(agentOf(this.name), CONTROL, () => session.control.closed());
    if (this.agentUp) this.#around.timeline.after(this.#retryMs, () => this.#dial());
  }

  /** The control plane asks for a sign of life. */
  pinged(answer: () => void): void {
    if (!this.agentUp || !this.#session) return;
    this.#session.heardAt = this.#around.timeline.now;
    this.#around.network.stream(agentOf(this.name), CONTROL, answer);
  }

  #tell(message: FromAgent): void {
    const session = this.#session;
    if (!session) return;
    const text = JSON.stringify(message);
    this.#around.network.stream(agentOf(this.name), CONTROL, () =>
      session.control.received(JSON.parse(text) as FromAgent),
    );
  }

  #received(message: ToAgent, session: Session): void {
    session.heardAt = this.#around.timeline.now;
    this.#retryMs = FIRST_RETRY_MS;
    if (message.type !== 'request') return;
    const { life } = this;
    const reply = (answer: { result: unknown } | { error: ReturnType<typeof toErrorDocument> }): void => {
      if (this.isLife(life)) this.#tell({ type: 'reply', id: message.id, ...answer });
    };
    this.#around.timeline.woke();
    this.#handle(message).then(
      (result) => reply({ result }),
      (error: unknown) => reply({ error: toErrorDocument(error) }),
    );
  }

  /** @throws ValkeeperError, what the agent answers instead */
  async #handle<O extends AgentOperation>({ operation, args }: Request<O>): Promise<unknown> {
    const operations: Partial<Operations> = {
      create_node: (config) => this.#create(config),
      configure_node: ({ id, pid, directives }) => this.#exclusively(id, (node) => node.configure(pid, directives)),
      write_users: ({ id, aclFile }) => this.#exclusively(id, (node) => node.writeUsers(aclFile)),
      start_node: ({ id, as, after }) => this.#start(id, as, after),
      replace_primary: async (wish) => (await this.#guard?.replacePrimary(wish)) ?? DECLINED,
      stop_node: ({ id, pid }) => this.#exclusively(id, (node) => node.stop(pid)),
      remove_node: (wish) => this.#remove(wish),
      free_ports: async ({ count, avoid }) => this.#freePorts(count, avoid),
      set_voters: async (voters) => {
        await this.#guard!.roster.setVoters(voters);
        return { version: this.#guard!.roster.voters.version };
      },
      guard_databases: async ({ databases }) => {
        await this.#guard!.roster.guard(databases);
        return {};
      },
    };
    const work = operations[operation] as ((args: unknown) => Promise<unknown>) | undefined;
    if (!work) throw new Error(`the modelled agent has no ${operation}`);
    return work(args);
  }

  async #exclusively<T>(id: NodeId, work: (node: Node) => Promise<T>): Promise<T> {
    const node = this.nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.name });
    return node.exclusively(() => work(node));
  }

  #freePorts(count: number, avoid: readonly number[]): { ports: number[] } {
    const taken = new Set([...avoid, ...[...this.nodes.values()].map(({ identity }) => identity.port)]);
    const free = Array.from({ length: 200 }, (_, index) => 7_000 + index).filter((port) => !taken.has(port));
    return { ports: free.slice(0, count) };
  }

  async #create(config: AgentRequests['create_node']['args']): Promise<{ pid: number }> {
    const existing = this.nodes.get(config.id);
    const identity = this.#around.identityOf(config.id, this);
    if (!existing && !identity) throw new ValkeeperError('node_not_found', { node: config.id, machine: this.name });
    const node = existing ?? new Node(identity!, config, this, this.#around);
    this.nodes.set(config.id, node);
    return node.exclusively(() => node.start({ kind: 'itself' }));
  }

  /** As what its disk says it starts only where nobody may have taken its place. */
  async #start(id: NodeId, as: StartAs, after?: number): Promise<{ pid: number }> {
    if (as.kind === 'itself' && this.#guard?.mayDecide === false)
      throw new ValkeeperError('lease_run_out', { node: id, machine: this.name });
    return this.#exclusively(id, (node) => {
      requireEnd(node, after, this.name);
      return node.start(as);
    });
  }

  async #remove({ id, databaseUid }: AgentRequests['remove_node']['args']): Promise<Record<string, never>> {
    const node = this.nodes.get(id);
    if (!node) return {};
    if (node.database.uid !== databaseUid) {
      throw new ValkeeperError('foreign_node', { node: id, database: node.database.name });
    }
    await node.exclusively(async () => {
      this.nodes.delete(id);
      node.destroy();
    });
    this.#tell({ type: 'node-removed', id });
    return {};
  }
}
