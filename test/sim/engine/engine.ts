/**
 * A model of one valkey-server process in cluster mode, after Valkey 9.1's cluster_legacy.c and replication.c: the
 * decisions are the engine's own, the bytes are not. Slots are counted in ranges, one a shard, since none moves.
 */
import type { NodeId } from '../../../src/domain/ids.ts';
import { type ClusterNodeLine, formatNodesConf, isMyself, parseNodesConf } from '../../../src/valkey/cluster-nodes.ts';
import { nodesOf } from '../network.ts';
import { Bus, type TalkingProcess } from './bus.ts';
import { Election } from './election.ts';
import { Replication } from './replication.ts';
import {
  type Around,
  BLACKLIST_MS,
  type Cause,
  CRON_MS,
  type Disk,
  type Handshake,
  NODE_TIMEOUT_MS,
  type NodeIdentity,
  type Peer,
  WRITABLE_DELAY_MS,
} from './state.ts';

/** What a process needs of the world. */
export interface Surroundings extends Around {
  /** The process that listens there now. */
  engineAt(host: string, port: number): Engine | null;
  machineAt(host: string): string | null;
  /** The mark of the ACL file in the process's directory. */
  aclMarkOnDisk(engine: Engine): string | null;
  /** A copy is no longer held by the node: another took its place. */
  dropped(engine: Engine, log: readonly number[], why: string): void;
  /** The node has become an owner, in its own eyes. */
  owns(engine: Engine, cause: Cause): void;
  /** A primary's replicas have applied something. */
  replicated(primary: Engine): void;
}

export class Engine implements TalkingProcess {
  readonly identity: NodeIdentity;
  readonly around: Surroundings;
  readonly pid: number;
  readonly bus: Bus;
  readonly election: Election;
  readonly replication: Replication;
  alive = true;
  loading = false;
  /** It does nothing until then; what comes meanwhile waits. */
  stalledUntil = 0;
  #inbox: (() => void)[] = [];
  /** Until when clients' writes wait, by CLIENT PAUSE. */
  clientsPausedUntil = 0;
  /** Told when the kernel closes the process's connections. */
  readonly clients = new Set<() => void>();

  role: 'primary' | 'replica' = 'primary';
  primaryId: NodeId | null = null;
  shardId: string;
  configEpoch = 0;
  currentEpoch = 0;
  lastVoteEpoch = 0;
  readonly peers = new Map<NodeId, Peer>();
  handshakes: Handshake[] = [];
  readonly #forgotten = new Map<NodeId, number>();
  /** The owner of each slot range in this node's eyes. */
  readonly owners: (NodeId | null)[];
  stateOk = false;
  safeToJoin = false;
  #stateSince = 0;
  #minorityAt = 0;
  /** The mark of the users it has. */
  aclMark: string | null;
  /** Text of CLUSTER NODES, kept until something changes. */
  #nodesText: string | null = null;

  constructor(identity: NodeIdentity, disk: Disk, around: Surroundings, pid: number) {
    this.identity = identity;
    this.around = around;
    this.pid = pid;
    this.owners = around.ranges.map(() => null);
    this.shardId = identity.id;
    this.aclMark = disk.aclMark;
    this.bus = new Bus(this);
    this.election = new Election(this);
    this.replication = new Replication(this, disk);
    this.#readNodesConf(disk.nodesConf);
    if (this.role === 'primary' && this.ownedBy(this.id).length > 0) around.owns(this, 'disk');
    this.#begin(disk);
  }

  get id(): NodeId {
    return this.identity.id;
  }

  get now(): number {
    return this.around.timeline.now;
  }

  /** Writes wait: by CLIENT PAUSE, or for a replica that is about to take over. */
  get isPaused(): boolean {
    return this.clientsPausedUntil > this.now || this.election.isPaused;
  }

  get isStalled(): boolean {
    return this.stalledUntil > this.now;
  }

  /** Whether it would answer a write to the slot range with OK at this moment. */
  acknowledges(range: number): boolean {
    return this.takesWrites(range) && !this.isStalled;
  }

  /** As `acknowledges`, or as soon as it goes on. */
  takesWrites(range: number): boolean {
    return (
      this.alive &&
      this.role === 'primary' &&
      this.owners[range] === this.id &&
      this.stateOk &&
      !this.loading &&
      !this.isPaused
    );
  }

  /** The process gets something to do: at once, or when it goes on. */
  receive(work: () => void): void {
    if (!this.alive) return;
    if (this.isStalled) this.#inbox.push(work);
    else work();
  }

  /** It does nothing for so long: stopped, swapped out, or busy. */
  stall(durationMs: number): void {
    this.stalledUntil = Math.max(this.stalledUntil, this.now + durationMs);
    this.around.timeline.after(this.stalledUntil - this.now + 0.001, () => this.#goOn());
  }

  /** The process ends at once. What its disk holds then is the answer. */
  die(powerLost: boolean): Omit<Disk, 'conf' | 'aclMark'> {
    const disk = this.replication.end(powerLost);
    this.alive = false;
    if (!powerLost) for (const lost of this.clients) lost();
    this.clients.clear();
    return { ...disk, nodesConf: this.#nodesConf() };
  }

  dropped(log: readonly number[], why: string): void {
    this.around.dropped(this, log, why);
  }

  replicated(): void {
    this.around.replicated(this);
  }

  changed(): void {
    this.#nodesText = null;
  }

  ownedBy(id: NodeId): number[] {
    const owned: number[] = [];
    for (let range = 0; range < this.owners.length; range += 1) if (this.owners[range] === id) owned.push(range);
    return owned;
  }

  /** A primary with slots: it counts for the majority and may vote. */
  isVoting(id: NodeId): boolean {
    const role = id === this.id ? this.role : this.peers.get(id)?.role;
    return role === 'primary' && this.owners.includes(id);
  }

  get size(): number {
    let size = this.isVoting(this.id) ? 1 : 0;
    for (const id of this.peers.keys()) if (this.isVoting(id)) size += 1;
    return size;
  }

  get quorum(): number {
    return Math.floor(this.size / 2) + 1;
  }

  /** `nodeEpoch`: a replica's is its primary's. */
  epochOf(id: NodeId): number {
    if (id === this.id)
      return this.role === 'replica' && this.primaryId ? this.epochOfPeer(this.primaryId) : this.configEpoch;
    const peer = this.peers.get(id);
    if (!peer) return 0;
    return peer.role === 'replica' && peer.primaryId ? this.epochOfPeer(peer.primaryId) : peer.configEpoch;
  }

  epochOfPeer(id: NodeId): number {
    return id === this.id ? this.configEpoch : (this.peers.get(id)?.configEpoch ?? 0);
  }

  /** `clusterSetPrimary`. */
  follow(primaryId: NodeId, fullCopy: boolean): void {
    const wasPrimary = this.role === 'primary';
    this.role = 'replica';
    this.primaryId = primaryId;
    this.shardId = this.peers.get(primaryId)?.shardId ?? this.shardId;
    this.election.reset();
    this.replication.follow(wasPrimary, fullCopy);
    this.changed();
  }

  /** `clusterFailoverReplaceYourPrimary`. */
  replacePrimary(cause: Cause): void {
    const old = this.primaryId;
    if (this.role === 'primary' || old === null) return;
    this.role = 'primary';
    this.primaryId = null;
    for (const range of this.ownedBy(old)) this.owners[range] = this.id;
    this.replication.lead();
    this.#verifyData();
    this.changed();
    this.updateState();
    this.around.owns(this, cause);
    this.bus.broadcastPong();
    this.election.reset();
    this.election.forgetAttempt();
  }

  /** `verifyClusterConfigWithData`: takes slots it has keys of and knows no owner of, and deletes the keys of slots that others own. */
  #verifyData(): void {
    const { shard } = this.identity;
    const owner = this.owners[shard] ?? null;
    if (owner === this.id || this.replication.log.length === 0) return;
    if (owner === null) this.owners[shard] = this.id;
    else this.replication.deleteAll();
  }

  /** `clusterBumpConfigEpochWithoutConsensus`. */
  bumpEpoch(): void {
    let max = Math.max(this.currentEpoch, this.configEpoch);
    for (const { configEpoch } of this.peers.values()) max = Math.max(max, configEpoch);
    if (this.configEpoch !== 0 && this.configEpoch === max) return;
    this.currentEpoch += 1;
    this.configEpoch = this.currentEpoch;
    this.changed();
  }

  forget(id: NodeId): void {
    this.#forgotten.set(id, this.now + BLACKLIST_MS);
    this.peers.delete(id);
    for (const range of this.ownedBy(id)) this.owners[range] = null;
    this.changed();
    this.updateState();
  }

  isForgotten(id: NodeId): boolean {
    return (this.#forgotten.get(id) ?? 0) > this.now;
  }

  /** `clusterUpdateState`. */
  updateState(): void {
    if (this.loading) return;
    if (this.role === 'primary' && !this.stateOk && this.now - this.#stateSince < WRITABLE_DELAY_MS) {
      this.safeToJoin = false;
      return;
    }
    this.safeToJoin = true;
    let size = 0;
    let reachable = 0;
    for (const id of [this.id, ...this.peers.keys()]) {
      if (!this.isVoting(id)) continue;
      size += 1;
      const peer = this.peers.get(id);
      if (!peer?.fail && !peer?.pfail) reachable += 1;
    }
    const ok = reachable >= Math.floor(size / 2) + 1;
    if (!ok) this.#minorityAt = this.now;
    if (ok === this.stateOk) return;
    if (ok && this.role === 'primary' && this.now - this.#minorityAt < NODE_TIMEOUT_MS) return;
    this.stateOk = ok;
  }

  /** `cluster_slots_ok`, in ranges. */
  servedRanges(): number[] {
    const served: number[] = [];
    this.owners.forEach((owner, range) => {
      const peer = owner === null ? undefined : this.peers.get(owner);
      if (owner === this.id || (peer && !peer.fail && !peer.pfail)) served.push(range);
    });
    return served;
  }

  nodesText(): string {
    this.#nodesText ??= this.#nodesConf().replace(/vars [^\n]*\n$/, '');
    return this.#nodesText;
  }

  #goOn(): void {
    if (!this.alive || this.isStalled) return;
    const inbox = this.#inbox;
    this.#inbox = [];
    for (const work of inbox) this.receive(work);
  }

  #begin(disk: Disk): void {
    const { timeline, random } = this.around;
    const ready = (): void => {
      this.loading = false;
      this.#stateSince = this.now;
      this.updateState();
      this.replication.begin();
    };
    if (this.replication.log.length > 0 || (this.replication.storage.keepsLog && disk.aofHasBytes)) {
      this.loading = true;
      timeline.after(random.between(5, 150), () => {
        if (this.alive) ready();
      });
    } else ready();
    timeline.every(CRON_MS, random.next() * CRON_MS, () => {
      if (this.alive && !this.loading && !this.isStalled) this.#cron();
      return this.alive;
    });
  }

  #cron(): void {
    this.bus.cron();
    this.election.cron();
    this.replication.cron();
    if (!this.stateOk) this.updateState();
  }

  #readNodesConf(text: string): void {
    const conf = parseNodesConf(text);
    if (!conf) throw new Error(`the modelled engine ${this.id} was given a nodes.conf that is not whole:\n${text}`);
    this.currentEpoch = conf.currentEpoch;
    this.lastVoteEpoch = conf.lastVoteEpoch;
    for (const line of conf.nodes) {
      this.around.ranges.forEach(([from], range) => {
        if (line.slots.some(([first, last]) => from >= first && from <= last)) this.owners[range] ??= line.id;
      });
      if (isMyself(line)) {
        this.role = line.role;
        this.primaryId = line.primaryId;
        this.configEpoch = line.configEpoch;
        this.shardId = shardIdOf(line);
      } else this.addPeer(line.id, line.host, line.port, line);
    }
    if (this.role === 'replica') this.shardId = this.peers.get(this.primaryId ?? '')?.shardId ?? this.shardId;
  }

  addPeer(id: NodeId, host: string, port: number, known?: ClusterNodeLine): Peer {
    const peer: Peer = {
      id,
      host,
      port,
      role: known?.role ?? 'primary',
      primaryId: known?.primaryId ?? null,
      shardId: known ? shardIdOf(known) : id,
      configEpoch: known?.configEpoch ?? 0,
      pfail: false,
      fail: known?.flags.includes('fail') ?? false,
      failAt: this.now,
      pingSentAt: 0,
      pingAgainAt: 0,
      pongAt: 0,
      dataAt: 0,
      offset: 0,
      reports: new Map(),
    };
    this.peers.set(id, peer);
    this.changed();
    return peer;
  }

  /** The engine writes it with every change, before anybody hears of the change. */
  #nodesConf(): string {
    const line = (
      id: NodeId,
      facts: Pick<Peer, 'host' | 'port' | 'role' | 'primaryId' | 'shardId' | 'configEpoch'>,
      flags: string[],
    ): ClusterNodeLine => ({
      id,
      host: facts.host,
      port: facts.port,
      busPort: facts.port + 10_000,
      aux: `,,shard-id=${facts.shardId}`,
      flags: [...flags, facts.role === 'primary' ? 'master' : 'slave'],
      role: facts.role,
      primaryId: facts.role === 'primary' ? null : facts.primaryId,
      pingSent: '0',
      pongReceived: '0',
      configEpoch: facts.configEpoch,
      linkState: 'connected',
      slots: this.ownedBy(id).map((range) => this.around.ranges[range]!),
      moving: [],
    });
    const { host, port } = this.identity;
    const { role, primaryId, shardId, configEpoch } = this;
    const nodes = [line(this.id, { host, port, role, primaryId, shardId, configEpoch }, ['myself'])];
    for (const peer of this.peers.values()) {
      nodes.push(line(peer.id, peer, peer.fail ? ['fail'] : peer.pfail ? ['fail?'] : []));
    }
    return formatNodesConf({ nodes, currentEpoch: this.currentEpoch, lastVoteEpoch: this.lastVoteEpoch });
  }

  /** Sends to another node's process, as the cluster bus does. */
  send(host: string, port: number, work: (target: Engine) => void): void {
    const { network, machineAt, engineAt } = this.around;
    const machine = machineAt(host);
    if (machine === null) return;
    network.send(nodesOf(this.identity.machine), nodesOf(machine), () => {
      const target = engineAt(host, port);
      target?.receive(() => work(target));
    });
  }
}

/** As nodes.conf has it among what follows the address; a line that Valkeeper wrote has none. */
const shardIdOf = ({ aux, id }: ClusterNodeLine): string => /shard-id=([0-9a-f]{40})/.exec(aux)?.[1] ?? id;
