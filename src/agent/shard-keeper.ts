/**
 * What an agent does by itself when a node of its own ends: the shard's best replica is promoted, then the node is
 * started again, fenced. It decides with the control plane's planner, on a view of this shard alone, and does only what
 * nobody else can know to be right: it saw the process end.
 *
 *     node ends ─> look ─> plan ─> promote ─> look ─> plan ─> start fenced ─> look: all its nodes run
 */
import type { NodeId } from '../domain/ids.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import { startAs } from '../domain/start-as.ts';
import { Backoff } from '../plan/backoff.ts';
import type { Plan } from '../plan/plan.ts';
import { type Outcome, type Step, unmetExpectation } from '../plan/step.ts';
import type { Logger } from '../platform/log.ts';
import type { AgentRequests } from '../protocol/agent-messages.ts';
import { observeNode } from '../valkey/admin.ts';
import { isMyself } from '../valkey/cluster-nodes.ts';
import { promote } from '../valkey/promotion.ts';
import type { FailoverLog } from './failover-log.ts';
import { hasDied, type OwnNode } from './own-node.ts';
import { beginningOf, ShardStory } from './shard-story.ts';
import { fellowsOf, lookAtShard, lookFurther, type Seer, type ShardSight } from './shard-view.ts';

/** Between two looks while nothing can be done: at first, and at most. */
const FIRST_PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 1_000;

export interface KeeperSurroundings extends Seer {
  machine: string;
  databases: () => readonly GuardedDatabase[];
  /** Whether this machine may decide who is primary: not while others may take over from it. */
  mayDecide: () => boolean;
  /** Primaries of a database are, or are about to be, elsewhere. */
  moved: (databaseUid: string) => void;
  failovers: Pick<FailoverLog, 'begin'>;
  /** How long endpoints held back what this node of a database (by uid) took at last; known a while after. */
  longestWait: (databaseUid: string, node: NodeId) => Promise<number>;
  log: Logger;
}

export class ShardKeeper {
  readonly #around: KeeperSurroundings;
  readonly #tending = new Set<string>();
  /** Of each shard: whoever promotes or starts for it waits for the one before. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** Nodes whose end this agent saw, and when: their disks hold all they had. */
  readonly #seenEnding = new Map<NodeId, number>();
  readonly #backoff = new Backoff();
  #closed = false;

  constructor(around: KeeperSurroundings) {
    this.#around = around;
  }

  /** A node of this machine has ended, and nobody asked for it. @param isSeen it ended under the eyes of this agent */
  nodeEnded(id: NodeId, isSeen: boolean): void {
    if (isSeen) this.#seenEnding.set(id, this.#around.clock.now());
    const place = this.#placeOf(id);
    if (place) void this.#tend(place.database, place.shard, id);
  }

  /** Looks after all that have ended: the record has come, or the lease. */
  lookAfterAll(): void {
    for (const node of this.#around.nodes.values()) if (hasDied(node)) this.nodeEnded(node.id, false);
  }

  /** The control plane sees more than this shard: who takes over is its decision here. */
  async replacePrimary({ id, by, mode }: Wish): Promise<AgentRequests['replace_primary']['result']> {
    const { clock, engines, mayDecide, moved, nodes } = this.#around;
    const place = this.#placeOf(id);
    const target = place?.database.nodes.find((node) => node.id === by);
    if (!place || !target || !mayDecide() || this.#closed) return DECLINED;
    return this.#inTurn(keyOf(place.database, place.shard), async () => {
      if (nodes.get(id)?.report().process.state !== 'exited') return { result: 'blocked', reason: 'it runs again' };
      const engine = engines.connection(place.database.adminPassword, target);
      const seen = await observeNode(engine);
      const { role, primaryId } = seen.nodes.find(isMyself) ?? {};
      if (role !== 'replica' || primaryId !== id)
        return { result: 'blocked', reason: 'it is not its replica any more' };
      const outcome = await promote(clock, engine, mode);
      moved(place.database.uid);
      return outcome.result === 'failed' ? { ...outcome, result: 'retry' as const } : outcome;
    });
  }

  close(): void {
    this.#closed = true;
  }

  #inTurn<T>(key: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(key) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => {});
    this.#turns.set(key, over);
    void over.then(() => this.#turns.get(key) === over && this.#turns.delete(key));
    return turn;
  }

  #placeOf(id: NodeId): { database: GuardedDatabase; shard: string } | null {
    for (const database of this.#around.databases()) {
      const node = database.nodes.find((one) => one.id === id);
      if (node && !database.deleting) return { database, shard: node.shard };
    }
    return null;
  }

  async #tend(database: GuardedDatabase, shard: string, cause: NodeId): Promise<void> {
    const key = keyOf(database, shard);
    if (this.#closed || this.#tending.has(key)) return;
    this.#tending.add(key);
    const { log, machine, nodes } = this.#around;
    const node = nodes.get(cause);
    const about = beginningOf(database, cause, causeOf(node), machine);
    const story = new ShardStory(this.#around, about, `the process ended: ${howItEnded(node)}`, node?.written);
    try {
      await this.#untilAllRun(database.uid, shard, story);
    } catch (error) {
      log.error({ err: error, database: database.name, shard }, 'Looking after a shard failed.');
    } finally {
      this.#tending.delete(key);
      story.over();
    }
  }

  async #untilAllRun(uid: string, shard: string, story: ShardStory): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    while (!this.#closed) {
      const database = this.#around.databases().find((one) => one.uid === uid && !one.deleting);
      const ended = database?.nodes.some((node) => node.shard === shard && hasDied(this.#around.nodes.get(node.id)));
      if (!database || !ended) return;
      const outcomes = await this.#inTurn(keyOf(database, shard), () => this.#lookAndDo(database, shard, story));
      if (outcomes.some(({ result }) => result === 'done')) {
        pauseMs = FIRST_PAUSE_MS;
        continue;
      }
      await this.#around.clock.sleep(pauseMs);
      pauseMs = Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
    }
  }

  async #lookAndDo(database: GuardedDatabase, shard: string, story: ShardStory): Promise<Outcome[]> {
    const { sight, plan } = await this.#sightAndPlan(database, shard);
    story.saw(sight, plan);
    const steps = plan.steps.filter(
      (step) => this.#isOurs(step, sight) && this.#backoff.allows(step, this.#around.clock.now()),
    );
    const outcomes: Outcome[] = [];
    for (const step of steps) outcomes.push(await this.#execute(database, sight, step, story));
    return outcomes;
  }

  /** While slots move, an owner is started only with a look at all others, too: what it claims may be theirs. */
  async #sightAndPlan(database: GuardedDatabase, shard: string): Promise<{ sight: ShardSight; plan: Plan }> {
    const around = this.#around;
    const near = this.#withEnds(await lookAtShard(around, database, shard, NONE));
    const plan = around.plan(near.database, near.view, shard);
    if (!database.reshard || !plan.steps.some(startsItself)) return { sight: near, plan };
    const sight = await lookFurther(around, database, near);
    return { sight, plan: around.plan(sight.database, sight.view, shard) };
  }

  /** With when those ended that were seen to. */
  #withEnds({ database, view }: ShardSight): ShardSight {
    const nodes = new Map(view.nodes);
    for (const [id, since] of this.#seenEnding) {
      const seen = nodes.get(id);
      if (seen?.process.state === 'exited') nodes.set(id, { ...seen, down: { since, deaths: 1 } });
    }
    return { database, view: { ...view, nodes } };
  }

  /** A promotion in the place of a node of ours; a start of a node of ours. */
  #isOurs(step: Step, sight: ShardSight): boolean {
    const { nodes, mayDecide } = this.#around;
    if (step.kind === 'promote') return mayDecide() && diedAsPrimary(nodes.get(step.args.insteadOf));
    if (step.kind !== 'start_node' || !hasDied(nodes.get(step.target))) return false;
    return step.args.replicaOf !== null || (mayDecide() && this.#hasNewest(step.target, sight));
  }

  /** Started on its own disk it would lack nothing that another has: it ended just now, or all others answer. */
  #hasNewest(id: NodeId, sight: ShardSight): boolean {
    const others = fellowsOf(sight, id);
    return this.#seenEnding.has(id) || others.every(([, { engine }]) => engine.state === 'answering');
  }

  async #execute(database: GuardedDatabase, sight: ShardSight, step: Step, story: ShardStory): Promise<Outcome> {
    const outcome = await this.#carryOut(database, sight, step).catch((error: unknown): Outcome => {
      return { result: 'retry', reason: error instanceof Error ? error.message : String(error) };
    });
    this.#backoff.note(step, outcome, this.#around.clock.now());
    if (step.kind === 'promote') story.promoted(step, outcome);
    else story.started(outcome);
    return outcome;
  }

  async #carryOut(database: GuardedDatabase, sight: ShardSight, step: Step): Promise<Outcome> {
    const { clock, engines, moved, nodes } = this.#around;
    const unmet = unmetExpectation(step.expects, sight.view.nodes.get(step.target)!);
    if (unmet) return { result: 'blocked', reason: unmet };
    const target = database.nodes.find(({ id }) => id === step.target)!;
    if (step.kind === 'promote') {
      const outcome = await promote(clock, engines.connection(database.adminPassword, target), step.args.mode);
      moved(database.uid);
      return outcome;
    }
    if (step.kind !== 'start_node') return { result: 'blocked', reason: `${step.kind} is not for agents` };
    const node = nodes.get(step.target)!;
    const as = startAs(step.args, database.nodes);
    const start = async (): Promise<Outcome> => {
      if (this.#closed) return { result: 'blocked', reason: 'its agent stops' }; // it had to wait for its turn
      await node.start(as);
      return { result: 'done' };
    };
    const outcome = await node.exclusively(start);
    if (outcome.result === 'done') this.#seenEnding.delete(node.id);
    return outcome;
  }
}

const NONE: ReadonlySet<NodeId> = new Set();

const startsItself = (step: Step): boolean => step.kind === 'start_node' && step.args.replicaOf === null;

/** An agent that may not decide, or is only beginning, says so. */
export const DECLINED = { result: 'declined', reason: 'this machine may not decide now' } as const;

type Wish = AgentRequests['replace_primary']['args'];

const keyOf = ({ uid }: GuardedDatabase, shard: string): string => `${uid} ${shard}`;

/** By its own nodes.conf: a replica that has heard of no switchover may still take it for the primary. */
function diedAsPrimary(node: OwnNode | undefined): boolean {
  const { claim = null, claimIsOld = true } = node?.report().disk ?? {};
  return hasDied(node) && (claimIsOld || claim?.role !== 'replica');
}

const causeOf = (node: OwnNode | undefined) => (node?.endedFor ? 'process_stopped' : 'process_ended');

const howItEnded = (node: OwnNode | undefined): string => {
  const process = node?.report().process;
  return process?.state === 'exited' ? process.detail : 'it runs again';
};
