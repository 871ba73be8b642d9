/**
 * What an agent does for its databases without being asked: it replaces primaries that end here, keeps this machine's
 * lease, votes on those of others, and takes over from machines that are lost. See docs/adr/0011-failover-by-agents.md.
 */
import type { NodeAssignment } from '../domain/database.ts';
import { WAITS_OVER_MS } from '../domain/failover.ts';
import type { NodeId } from '../domain/ids.ts';
import type { ShardPlanner } from '../plan/plan.ts';
import type { IfEnded } from '../plan/pulse.ts';
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { AgentRequests } from '../protocol/agent-messages.ts';
import type { Answer, NodeAddress, Question } from '../protocol/neighbour-messages.ts';
import type { Engines } from '../valkey/engines.ts';
import type { FailoverLog } from './failover-log.ts';
import { ifEnded } from './if-ended.ts';
import { LeaseKeeper } from './lease-keeper.ts';
import { MachineWatch } from './machine-watch.ts';
import { NeighbourDesk } from './neighbour-desk.ts';
import type { Neighbours } from './neighbours.ts';
import type { OwnNode } from './own-node.ts';
import type { Roster } from './roster.ts';
import { ShardKeeper } from './shard-keeper.ts';
import type { Seer } from './shard-view.ts';
import { WriteFence } from './write-fence.ts';

export interface GuardOptions {
  machine: string;
  roster: Roster;
  neighbours: Pick<Neighbours, 'ask'>;
  /** This machine's nodes; they come and go. */
  nodes: ReadonlyMap<NodeId, OwnNode>;
  /** Closed with the guard. */
  engines: Engines;
  /** Whether any of them takes a connection. */
  isAnyReached: (addresses: readonly NodeAddress[]) => Promise<boolean>;
  failovers: Pick<FailoverLog, 'begin'>;
  /** This machine's endpoint is to ask the nodes of a database (by uid) who owns what. */
  nudge: (databaseUid: string) => void;
  /** How long this machine's endpoint held back commands of late that the node took at last, in milliseconds. */
  waited: (databaseUid: string, node: NodeId) => Promise<number>;
  plan: ShardPlanner;
  /** Monotonic. */
  clock: Clock;
  log: Logger;
}

/** A connection that was lost is open again after so long at the latest. */
const WARM_MS = 5_000;

export class Guard {
  readonly #options: GuardOptions;
  readonly #seer: Seer;
  readonly #desk: NeighbourDesk;
  readonly #lease: LeaseKeeper;
  readonly #shards: ShardKeeper;
  readonly #watch: MachineWatch;
  readonly #rosterChanged = (): void => this.#changed();
  #endWarmer: EndTimer | null = null;
  #rehearsals = 0;
  /** All nodes of the roster as it was looked at last. */
  #known: readonly NodeAssignment[] = [];

  constructor(options: GuardOptions) {
    const { machine, roster, neighbours, nodes, engines, isAnyReached, failovers, nudge, plan, clock, log } = options;
    const { waited } = options;
    this.#options = options;
    const seer = { engines, nodes, clock, plan };
    this.#seer = seer;
    const databases = () => roster.databases;
    const mayDecide = () => this.#lease.isHeld;
    const moved = (databaseUid: string) => this.#moved(databaseUid);
    const records = { failovers, longestWait: (uid: string, node: NodeId) => this.#longestWait(uid, node) };
    this.#desk = new NeighbourDesk({ roster, clock, isAnyReached, moved: nudge, waited });
    const fence = new WriteFence({ ...seer, databases, log });
    const regained = () => this.#shards.lookAfterAll();
    this.#lease = new LeaseKeeper({ machine, roster, neighbours, fence, regained, clock, log });
    this.#shards = new ShardKeeper({ ...seer, machine, databases, mayDecide, moved, ...records, log });
    const desk = this.#desk;
    this.#watch = new MachineWatch({ ...seer, machine, roster, neighbours, desk, mayDecide, moved, ...records, log });
  }

  begin(): void {
    this.#options.roster.on('changed', this.#rosterChanged);
    this.#lease.begin();
    this.#watch.begin();
    this.#changed();
  }

  close(): void {
    this.#options.roster.off('changed', this.#rosterChanged);
    this.#endWarmer?.();
    this.#lease.close();
    this.#watch.close();
    this.#shards.close();
    this.#seer.engines.close();
  }

  /** All nodes here are being stopped, as was asked: from now on none is started, and nobody is replaced. The lease is kept. */
  rest(): void {
    this.#watch.close();
    this.#shards.close();
  }

  /** Whether a node here may start as what its disk says: not while others may take over from this machine. */
  get mayDecide(): boolean {
    return this.#lease.isHeld;
  }

  /** A node of this machine ended, and nobody had asked for it. */
  nodeEnded(id: NodeId): void {
    this.#shards.nodeEnded(id, true);
  }

  /** The control plane knows who can take the place of a node that has ended here. */
  replacePrimary(wish: AgentRequests['replace_primary']['args']): Promise<AgentRequests['replace_primary']['result']> {
    return this.#shards.replacePrimary(wish);
  }

  /** What would become of a node's shard if the node ended. */
  ifEnded(id: NodeId): Promise<IfEnded> {
    return ifEnded(this.#seer, this.#options.roster.databases, id, () => this.#lease.isHeld);
  }

  /** What a neighbour asks. @param from as its certificate says; null where there are none */
  answer(question: Question, from: string | null): Promise<Answer> {
    return this.#desk.answer(question, from);
  }

  /** Every endpoint is to look: this machine's and the neighbours'. */
  #moved(database: string): void {
    const { machine, neighbours, nudge, roster } = this.#options;
    nudge(database);
    for (const voter of roster.voters.voters) {
      if (voter.machine !== machine) void neighbours.ask(voter, { ask: 'moved', database });
    }
  }

  /** Of all endpoints that can be asked, after the last of them has surely sent what it held back; milliseconds. */
  async #longestWait(database: string, node: NodeId): Promise<number> {
    const { clock, machine, neighbours, roster, waited } = this.#options;
    await clock.sleep(WAITS_OVER_MS);
    const others = roster.voters.voters.filter((voter) => voter.machine !== machine);
    const answers = others.map(async (voter) => {
      const heard = await neighbours.ask(voter, { ask: 'waited', database, node });
      return heard.how === 'answered' && heard.answer.kind === 'waited' ? heard.answer.ms : 0;
    });
    return Math.max(await waited(database, node), ...(await Promise.all(answers)));
  }

  #changed(): void {
    this.#shards.lookAfterAll();
    this.#dropOthers();
    this.#keepWarm();
  }

  /** Nodes that are no longer in the roster are not connected to any more. */
  #dropOthers(): void {
    const { engines, roster } = this.#options;
    const nodes = roster.databases.flatMap((database) => database.nodes);
    const present = new Set(nodes.map(({ id }) => id));
    engines.drop(this.#known.filter(({ id }) => !present.has(id)));
    this.#known = nodes;
  }

  /** Opens the connections that a failover would need, so that none is opened when every millisecond counts. */
  #keepWarm(): void {
    const { clock, engines, nodes, roster } = this.#options;
    this.#endWarmer?.();
    this.#endWarmer = clock.timer(WARM_MS, () => this.#keepWarm());
    this.#rehearse();
    for (const { adminPassword, nodes: all } of roster.databases) {
      const shards = new Set(all.filter(({ id }) => nodes.has(id)).map(({ shard }) => shard));
      for (const node of all.filter(({ shard }) => shards.has(shard))) {
        engines
          .connection(adminPassword, node)
          .command('PING')
          .catch(() => {});
      }
    }
  }

  /** One of this machine's nodes in turn: a failover's first steps, without its last. Code that has never run is slow. */
  #rehearse(): void {
    const ids = [...this.#options.nodes.keys()];
    const id = ids[this.#rehearsals % ids.length];
    this.#rehearsals += 1;
    if (id !== undefined) void this.ifEnded(id).catch(() => {}); // what there is to say of it is said when it is asked
  }
}
