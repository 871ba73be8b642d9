/** A model of one machine: its agent, the directories of its nodes, and the processes that run from them. */

import { fencedNodesConf } from '../../src/agent/fence.ts';
import type { AgentSocket } from '../../src/control/agents.ts';
import { aclMarkOf, type Database } from '../../src/domain/database.ts';
import { toErrorDocument, ValkeeperError } from '../../src/domain/errors.ts';
import type { NodeId } from '../../src/domain/ids.ts';
import { type DiskView, WHOLE_FILES } from '../../src/domain/view.ts';
import { type Directive, keepsSnapshots, logsEveryWrite, MANAGED_SETTINGS } from '../../src/plan/settings.ts';
import {
  AGENT_PROTOCOL,
  type AgentOperation,
  type AgentRequests,
  type FromAgent,
  type Hello,
  type NodeReport,
  type Request,
  type ToAgent,
} from '../../src/protocol/agent-messages.ts';
import { isMyself, parseNodesConf } from '../../src/valkey/cluster-nodes.ts';
import type { Engine } from './engine/engine.ts';
import { type Disk, type NodeIdentity, readLog } from './engine/state.ts';
import { agentOf, CONTROL, type Network } from './network.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 2_000;
/** An agent that hears nothing for so long ends its connection. */
const SILENCE_MS = 15_000;
const FRESH_SNAPSHOT_MS = 60_000;

const managed = (directives: readonly Directive[]): Record<string, string> =>
  Object.fromEntries(
    directives
      .filter(([name]) => (MANAGED_SETTINGS as readonly string[]).includes(name))
      .map(([name, ...args]) => [name, args.join(' ')]),
  );

const markIn = (aclFile: string): string | null =>
  aclMarkOf(aclFile.split('\n').map((line) => line.split(' ')[1] ?? ''));

/** The control plane's end of an agent's connection. */
export interface ControlEnd {
  received(message: FromAgent): void;
  closed(): void;
}

export interface MachineSurroundings {
  timeline: Timeline;
  network: Network;
  random: Random;
  /** Begins a process. */
  spawn(identity: NodeIdentity, disk: Disk): Engine;
  /** A process ended, by a crash or by request; its directory may be gone with it. */
  ended(node: Node, how: 'crash' | 'stopped' | 'removed'): void;
  identityOf(id: NodeId, machine: Machine): NodeIdentity | null;
  /** The control plane that listens now; null while there is none. */
  dial(machine: Machine, agentEnd: AgentSocket): ControlEnd | null;
}

/** How a request is answered. */
interface Answer {
  done(result: unknown): void;
  failed(error: unknown): void;
}

/** A node's directory with its process. */
export interface Node {
  identity: NodeIdentity;
  database: Pick<Database, 'name' | 'uid'>;
  disk: Disk;
  /** What its agent last read from the disk. */
  shown: DiskView;
  engine: Engine | null;
  /** Its agent's word; what it does not know yet is not in it. */
  process: NodeReport['process'];
}

interface Session {
  control: ControlEnd;
  heardAt: number;
}

export class Machine {
  readonly name: string;
  readonly address: string;
  readonly zone: string;
  readonly memoryBytes: number;
  readonly nodes = new Map<NodeId, Node>();
  readonly #around: MachineSurroundings;
  agentUp = true;
  /** Without power: nothing runs and nothing answers. */
  down = false;
  #session: Session | null = null;
  #retryMs = FIRST_RETRY_MS;
  /** Grows with every start of the agent: what an earlier one had begun is none of the present one's business. */
  #agentLife = 0;

  constructor(name: string, address: string, zone: string, memoryBytes: number, around: MachineSurroundings) {
    this.name = name;
    this.address = address;
    this.zone = zone;
    this.memoryBytes = memoryBytes;
    this.#around = around;
    this.#dial();
    around.timeline.every(1_000, around.random.next() * 1_000, () => {
      const session = this.#session;
      if (session && around.timeline.now - session.heardAt > SILENCE_MS) this.#hangUp();
      return true;
    });
  }

  /** The agent's process ends; the nodes go on. */
  killAgent(): void {
    this.agentUp = false;
    this.#hangUp();
  }

  /** A new agent adopts what runs and learns what has ended. */
  startAgent(): void {
    if (this.agentUp || this.down) return;
    this.agentUp = true;
    this.#agentLife += 1;
    this.#retryMs = FIRST_RETRY_MS;
    for (const node of this.nodes.values()) {
      if (node.engine) node.process = { state: 'running', pid: node.engine.pid };
      else if (node.process.state === 'running') this.#noteExit(node, 'it ended while no agent watched');
    }
    this.#dial();
  }

  losePower(): void {
    this.agentUp = false;
    this.#session = null;
    for (const node of this.nodes.values()) this.kill(node, true);
    this.down = true;
  }

  regainPower(): void {
    this.down = false;
    this.startAgent();
  }

  /** The process ends; its agent notices a moment later. */
  kill(node: Node, powerLost = false): void {
    const { engine } = node;
    if (!engine) return;
    node.disk = { ...engine.die(powerLost), conf: node.disk.conf, aclMark: node.disk.aclMark };
    node.engine = null;
    this.#around.ended(node, 'crash');
    const life = this.#agentLife;
    // A child's exit is told at once, an adopted process's by its connection, or by the look once a second.
    const delayMs = this.#around.random.chance(0.9)
      ? this.#around.random.between(1, 6)
      : this.#around.random.between(6, 1_000);
    this.#around.timeline.after(delayMs, () => {
      if (!this.agentUp || life !== this.#agentLife || node.engine || node.process.state !== 'running') return;
      if (this.nodes.get(node.identity.id) !== node || node.process.pid !== engine.pid) return;
      this.#noteExit(node, 'ended by SIGKILL');
      this.#tell({ type: 'node', node: this.#report(node) });
    });
  }

  #noteExit(node: Node, detail: string): void {
    node.shown = this.#look(node);
    node.process = { state: 'exited', how: 'died', at: this.#around.timeline.now, detail };
  }

  #look({ disk }: Node): DiskView {
    const own = parseNodesConf(disk.nodesConf)?.nodes.find(isMyself);
    const hasData = logsEveryWrite(disk.conf) ? disk.aofHasBytes : readLog(disk).length > 0;
    const claim = own
      ? { role: own.role, primaryId: own.primaryId, slots: own.slots, configEpoch: own.configEpoch }
      : null;
    const dataAt = logsEveryWrite(disk.conf) ? disk.aofAt : (disk.rdb?.at ?? null);
    return { hasData, dataAt, claim, ...WHOLE_FILES, settings: disk.conf, aclMark: disk.aclMark };
  }

  #report({ identity, database, process, shown }: Node): NodeReport {
    const { id, port } = identity;
    const pulse = process.state === 'running' ? ({ state: 'well', since: 0 } as const) : null;
    return { id, database: database.name, databaseUid: database.uid, port, process, pulse, disk: shown };
  }

  #hello(): Hello {
    const { name: machine, address, zone, memoryBytes } = this;
    const nodes = [...this.nodes.values()].map((node) => this.#report(node));
    return {
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      machine,
      address,
      zone,
      memoryBytes,
      pid: 1,
      instance: `${machine}-${this.#agentLife}`,
      engineVersion: '9.1.2',
      certificate: null,
      tls: false,
      nodes,
      endpoint: null,
      neighbourPort: null,
    };
  }

  /** Connects to the control plane, again and again until it is there. */
  #dial(): void {
    const { network, random, timeline } = this.#around;
    const life = this.#agentLife;
    const stale = (): boolean => !this.agentUp || life !== this.#agentLife || this.#session !== null;
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
    const life = this.#agentLife;
    const reply = (answer: { result: unknown } | { error: ReturnType<typeof toErrorDocument> }): void => {
      if (this.agentUp && life === this.#agentLife) this.#tell({ type: 'reply', id: message.id, ...answer });
    };
    const answer: Answer = {
      done: (result) => reply({ result }),
      failed: (error) => reply({ error: toErrorDocument(error) }),
    };
    try {
      this.#handle(message, answer);
    } catch (error) {
      answer.failed(error);
    }
  }

  #handle<O extends AgentOperation>({ operation, args }: Request<O>, answer: Answer): void {
    if (operation === 'create_node') this.#create(args as AgentRequests['create_node']['args'], answer);
    else if (operation === 'configure_node') this.#configure(args as AgentRequests['configure_node']['args'], answer);
    else if (operation === 'write_users') this.#writeUsers(args as AgentRequests['write_users']['args'], answer);
    else if (operation === 'start_node') this.#start(args as AgentRequests['start_node']['args'], answer);
    else if (operation === 'stop_node') this.#stop(args as AgentRequests['stop_node']['args'], answer);
    else if (operation === 'remove_node') this.#remove(args as AgentRequests['remove_node']['args'], answer);
    else if (operation === 'free_ports') {
      const { count, avoid } = args as AgentRequests['free_ports']['args'];
      const taken = new Set([...avoid, ...[...this.nodes.values()].map(({ identity }) => identity.port)]);
      const free = Array.from({ length: 200 }, (_, index) => 7_000 + index).filter((port) => !taken.has(port));
      answer.done({ ports: free.slice(0, count) });
    } else throw new Error(`the modelled agent has no ${operation}`);
  }

  #create(config: AgentRequests['create_node']['args'], answer: Answer): void {
    const existing = this.nodes.get(config.id);
    if (existing) return this.#run(existing, answer);
    const identity = this.#around.identityOf(config.id, this);
    if (!identity) throw new ValkeeperError('node_not_found', { node: config.id, machine: this.name });
    const node: Node = {
      identity,
      database: { name: config.database, uid: config.databaseUid },
      disk: {
        nodesConf: config.nodesConf,
        conf: managed(config.directives),
        aclMark: markIn(config.aclFile),
        rdb: null,
        aof: [],
        aofHasBytes: false,
        aofAt: 0,
      },
      shown: { hasData: false, dataAt: null, claim: null, ...WHOLE_FILES, settings: null, aclMark: null },
      engine: null,
      process: { state: 'exited', how: 'died', at: this.#around.timeline.now, detail: 'it was never started' },
    };
    node.shown = this.#look(node);
    this.nodes.set(config.id, node);
    this.#run(node, answer);
  }

  /** As `SupervisedNode.configure` with `NodeDirectory.whyNotYet`. */
  #configure({ id, pid, directives }: AgentRequests['configure_node']['args'], answer: Answer): void {
    const node = this.nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.name });
    const next = managed(directives);
    const savedAt = node.engine?.replication.storage.savedAt ?? Number.NEGATIVE_INFINITY;
    const needsSnapshot = keepsSnapshots(next) && !keepsSnapshots(node.disk.conf);
    if (node.engine?.pid !== pid) return answer.done({ written: false, reason: `process ${pid} has ended` });
    if (needsSnapshot && this.#around.timeline.now - savedAt > FRESH_SNAPSHOT_MS) {
      return answer.done({ written: false, reason: 'there is no fresh snapshot yet' });
    }
    node.disk = { ...node.disk, conf: next };
    node.shown = { ...node.shown, settings: next };
    this.#tell({ type: 'node', node: this.#report(node) });
    answer.done({ written: true });
  }

  #writeUsers({ id, aclFile }: AgentRequests['write_users']['args'], answer: Answer): void {
    const node = this.nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.name });
    node.disk = { ...node.disk, aclMark: markIn(aclFile) };
    node.shown = { ...node.shown, aclMark: node.disk.aclMark };
    this.#tell({ type: 'node', node: this.#report(node) });
    answer.done({});
  }

  #start({ id, as }: AgentRequests['start_node']['args'], answer: Answer): void {
    const node = this.nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.name });
    if (!node.engine && as.kind === 'replica') {
      const { host, port } = node.identity;
      node.disk.nodesConf = fencedNodesConf(node.disk.nodesConf, { id, host, port }, as.primary);
    }
    this.#run(node, answer);
  }

  /** Starts the process unless it runs, and answers once it accepts connections. */
  #run(node: Node, answer: Answer): void {
    const { random, timeline } = this.#around;
    if (!node.engine) {
      const { conf } = node.disk;
      // A snapshot that was left behind where none is wanted is put aside.
      if (!logsEveryWrite(conf) && !keepsSnapshots(conf)) node.disk.rdb = null;
      node.engine = this.#around.spawn(node.identity, node.disk);
    }
    const { engine } = node;
    node.process = { state: 'running', pid: engine.pid };
    const life = this.#agentLife;
    timeline.after(random.between(4, 40), () => {
      if (!this.agentUp || life !== this.#agentLife) return;
      if (node.engine !== engine) {
        const problem = 'it ended at once';
        const { id } = node.identity;
        answer.failed(new ValkeeperError('node_not_started', { node: id, machine: this.name, problem, log: '' }));
        return;
      }
      this.#tell({ type: 'node', node: this.#report(node) });
      answer.done({ pid: engine.pid });
    });
  }

  #stop({ id, pid }: AgentRequests['stop_node']['args'], answer: Answer): void {
    const node = this.nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.name });
    if (node.engine?.pid !== pid) return answer.done({ stopped: false });
    node.disk = { ...node.engine.die(false), conf: node.disk.conf, aclMark: node.disk.aclMark };
    node.engine = null;
    this.#around.ended(node, 'stopped');
    this.#noteExit(node, 'stopped by request');
    this.#tell({ type: 'node', node: this.#report(node) });
    answer.done({ stopped: true });
  }

  #remove({ id, databaseUid }: AgentRequests['remove_node']['args'], answer: Answer): void {
    const node = this.nodes.get(id);
    if (!node) return answer.done({});
    if (node.database.uid !== databaseUid) {
      throw new ValkeeperError('foreign_node', { node: id, database: node.database.name });
    }
    node.engine?.die(false);
    node.engine = null;
    this.nodes.delete(id);
    this.#around.ended(node, 'removed');
    this.#tell({ type: 'node-removed', id });
    answer.done({});
  }
}
