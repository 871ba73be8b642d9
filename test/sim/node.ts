/** A node of a modelled machine, as its agent has it: a directory, and the process that runs from it. */
import { fencedNodesConf, yieldedNodesConf } from '../../src/agent/fence.ts';
import type { OwnNode } from '../../src/agent/own-node.ts';
import { aclMarkOf, type Database } from '../../src/domain/database.ts';
import { ValkeeperError } from '../../src/domain/errors.ts';
import type { NodeId } from '../../src/domain/ids.ts';
import type { StartAs } from '../../src/domain/start-as.ts';
import { type DiskView, WHOLE_FILES } from '../../src/domain/view.ts';
import { type Directive, keepsSnapshots, logsEveryWrite, MANAGED_SETTINGS } from '../../src/plan/settings.ts';
import type { AgentRequests, NodeReport } from '../../src/protocol/agent-messages.ts';
import { isMyself, parseNodesConf } from '../../src/valkey/cluster-nodes.ts';
import type { Engine } from './engine/engine.ts';
import { type Disk, type NodeIdentity, readLog } from './engine/state.ts';
import type { Random } from './random.ts';
import type { Timeline } from './timeline.ts';

const FRESH_SNAPSHOT_MS = 60_000;

/** How a process ended: `ended` by its agent, because another had taken its place, or it did not obey. */
export type Ending = 'crash' | 'stopped' | 'removed' | 'ended';

/** The agent that has the node now. */
export interface NodeKeeper {
  readonly name: string;
  /** Whether the agent with this number is still there: what an earlier one had begun is none of the present one's business. */
  isLife(life: number): boolean;
  readonly life: number;
  /** The node is not as it was told last. */
  changed(node: Node): void;
}

export interface NodeSurroundings {
  timeline: Timeline;
  random: Random;
  /** Begins a process. */
  spawn(identity: NodeIdentity, disk: Disk): Engine;
  /** A process ended; its directory may be gone with it. */
  ended(node: Node, how: Ending): void;
}

const managed = (directives: readonly Directive[]): Record<string, string> =>
  Object.fromEntries(
    directives
      .filter(([name]) => (MANAGED_SETTINGS as readonly string[]).includes(name))
      .map(([name, ...args]) => [name, args.join(' ')]),
  );

const markIn = (aclFile: string): string | null =>
  aclMarkOf(aclFile.split('\n').map((line) => line.split(' ')[1] ?? ''));

export class Node implements OwnNode {
  readonly identity: NodeIdentity;
  readonly database: Pick<Database, 'name' | 'uid'>;
  disk: Disk;
  engine: Engine | null = null;
  /** Its agent's word; what it does not know yet is not in it. */
  process: NodeReport['process'];
  /** What its agent last read from the disk. */
  #shown: DiskView;
  readonly #keeper: NodeKeeper;
  readonly #around: NodeSurroundings;
  #queue: { life: number; last: Promise<unknown> } = { life: -1, last: Promise.resolve() };

  constructor(
    identity: NodeIdentity,
    { database, databaseUid, nodesConf, directives, aclFile }: AgentRequests['create_node']['args'],
    keeper: NodeKeeper,
    around: NodeSurroundings,
  ) {
    this.identity = identity;
    this.database = { name: database, uid: databaseUid };
    this.#keeper = keeper;
    this.#around = around;
    const [conf, aclMark] = [managed(directives), markIn(aclFile)];
    this.disk = { nodesConf, conf, aclMark, rdb: null, aof: [], aofHasBytes: false, aofAt: 0 };
    this.process = { state: 'exited', how: 'died', at: around.timeline.now, detail: 'it was never started' };
    this.#shown = this.#look();
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get pid(): number | null {
    return this.process.state === 'running' ? this.process.pid : null;
  }

  get claim(): DiskView['claim'] {
    if (!this.engine) return this.#look().claim;
    const { role, primaryId, configEpoch } = this.engine;
    return { role, primaryId, slots: [], configEpoch };
  }

  report(): NodeReport {
    const { database, process } = this;
    const { id, port } = this.identity;
    const pulse = process.state === 'running' ? ({ state: 'well', since: 0 } as const) : null;
    return { id, database: database.name, databaseUid: database.uid, port, process, pulse, disk: this.#shown };
  }

  /** One request at a time, of one agent: those of an earlier one died with it. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const { life } = this.#keeper;
    const before = this.#queue.life === life ? this.#queue.last : Promise.resolve();
    const result = before.then(work);
    this.#queue = { life, last: result.catch(() => {}) };
    return result;
  }

  /** A new agent takes it over, running or not. */
  adopt(): void {
    if (this.engine) this.process = { state: 'running', pid: this.engine.pid };
    else if (this.process.state === 'running') this.noteExit('died', 'it ended while no agent watched');
  }

  noteExit(how: 'died' | 'stopped', detail: string): void {
    this.#shown = this.#look();
    this.process = { state: 'exited', how, at: this.#around.timeline.now, detail };
  }

  /** Starts the process unless it runs, and resolves once it accepts connections. */
  start(as: StartAs): Promise<{ pid: number }> {
    const { random, timeline } = this.#around;
    if (!this.engine) {
      const { id, host, port } = this.identity;
      if (as.kind === 'replica') {
        this.disk.nodesConf = fencedNodesConf(this.disk.nodesConf, { id, host, port }, as.primary);
      } else if (as.yields) this.disk.nodesConf = yieldedNodesConf(this.disk.nodesConf, id, as.yields);
      const { conf } = this.disk;
      // A snapshot that was left behind where none is wanted is put aside.
      if (!logsEveryWrite(conf) && !keepsSnapshots(conf)) this.disk.rdb = null;
      this.engine = this.#around.spawn(this.identity, this.disk);
    }
    const { engine } = this;
    const { life } = this.#keeper;
    this.process = { state: 'running', pid: engine.pid };
    return new Promise((resolve, reject) => {
      timeline.after(random.between(4, 40), () => {
        if (!this.#keeper.isLife(life)) return;
        timeline.woke();
        if (this.engine !== engine) {
          const [id, machine, problem] = [this.id, this.#keeper.name, 'it ended at once'];
          reject(new ValkeeperError('node_not_started', { node: id, machine, problem, log: '' }));
          return;
        }
        this.#keeper.changed(this);
        resolve({ pid: engine.pid });
      });
    });
  }

  /** SIGKILL by its agent; it counts as died. */
  async end(why: string): Promise<void> {
    const { engine } = this;
    const { life } = this.#keeper;
    if (!engine) return;
    const { random, timeline } = this.#around;
    const { promise, resolve } = Promise.withResolvers<void>();
    timeline.after(random.between(0.5, 5), () => {
      if (this.engine === engine) this.die('ended');
      if (!this.#keeper.isLife(life)) return;
      if (this.engine === null && this.process.state === 'running') {
        this.noteExit('died', why);
        this.#keeper.changed(this);
      }
      timeline.woke();
      resolve();
    });
    return promise;
  }

  /** Ends this process and no other. */
  async stop(pid: number): Promise<{ stopped: boolean }> {
    if (this.engine?.pid !== pid) return { stopped: false };
    this.die('stopped');
    this.noteExit('stopped', 'stopped by request');
    this.#keeper.changed(this);
    return { stopped: true };
  }

  /** The process, if there is one, is gone at once. Its agent does not know yet. */
  die(how: Ending, powerLost = false): void {
    if (!this.engine) return;
    this.disk = { ...this.engine.die(powerLost), conf: this.disk.conf, aclMark: this.disk.aclMark };
    this.engine = null;
    this.#around.ended(this, how);
  }

  /** The process and the directory are gone. */
  destroy(): void {
    this.engine?.die(false);
    this.engine = null;
    this.#around.ended(this, 'removed');
  }

  /** As `SupervisedNode.configure` with `NodeDirectory.lacksYet`. */
  async configure(pid: number, directives: readonly Directive[]): Promise<AgentRequests['configure_node']['result']> {
    const next = managed(directives);
    const savedAt = this.engine?.replication.storage.savedAt ?? Number.NEGATIVE_INFINITY;
    const needsSnapshot = keepsSnapshots(next) && !keepsSnapshots(this.disk.conf);
    if (this.engine?.pid !== pid) return { written: false, reason: `process ${pid} has ended` };
    if (needsSnapshot && this.#around.timeline.now - savedAt > FRESH_SNAPSHOT_MS) {
      this.engine.replication.storage.save();
      return { written: false, reason: 'there is no fresh snapshot yet' };
    }
    this.disk = { ...this.disk, conf: next };
    this.#shown = { ...this.#shown, settings: next };
    this.#keeper.changed(this);
    return { written: true };
  }

  async writeUsers(aclFile: string): Promise<Record<string, never>> {
    this.disk = { ...this.disk, aclMark: markIn(aclFile) };
    this.#shown = { ...this.#shown, aclMark: this.disk.aclMark };
    this.#keeper.changed(this);
    return {};
  }

  #look(): DiskView {
    const { disk } = this;
    const own = parseNodesConf(disk.nodesConf)?.nodes.find(isMyself);
    const hasData = logsEveryWrite(disk.conf) ? disk.aofHasBytes : readLog(disk).length > 0;
    const claim = own
      ? { role: own.role, primaryId: own.primaryId, slots: own.slots, configEpoch: own.configEpoch }
      : null;
    const dataAt = logsEveryWrite(disk.conf) ? disk.aofAt : (disk.rdb?.at ?? null);
    return { hasData, dataAt, claim, ...WHOLE_FILES, settings: disk.conf, aclMark: disk.aclMark };
  }
}
