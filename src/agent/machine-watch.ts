/**
 * Takes over from machines that nobody hears of any more: where a replica lies here, and a majority of the voters agrees
 * that the machine has no lease and cannot be reached, the replicas of its primaries are promoted.
 *
 *     a machine's lease has run out ─> whose primaries are there, say our replicas ─> claim them ─> promote ─> release
 */
import { byName, type NodeId } from '../domain/ids.ts';
import { FEWEST_VOTERS, type GuardedDatabase, majorityOf } from '../domain/roster.ts';
import { answering, type PeerView } from '../domain/view.ts';
import { isCurrent } from '../plan/failover.ts';
import { unmetExpectation } from '../plan/step.ts';
import type { EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Answer, Question } from '../protocol/neighbour-messages.ts';
import { AHEAD_MS, CLAIM_MS } from '../quorum/times.ts';
import { promote } from '../valkey/promotion.ts';
import type { FailoverLog } from './failover-log.ts';
import type { NeighbourDesk } from './neighbour-desk.ts';
import type { Neighbours } from './neighbours.ts';
import type { Roster } from './roster.ts';
import { beginningOf, ShardStory } from './shard-story.ts';
import { lookAtShard, type Seer } from './shard-view.ts';

const LOOK_MS = 50;
/**
 * Of several machines that could take over, each waits so much longer than the one before it: longer than two looks lie
 * apart, for where two ask at once each has its own vote, and neither a majority.
 */
const RANK_MS = 100;
/** Until a database is tried again whose claim was not agreed to. */
const RETRY_MS = 200;
/** Promotions must be over before voters stop keeping their promise; the last one is waited for 2 s. */
const WORK_MS = CLAIM_MS - 2_500;
const REPEAT_MS = 20;
/** The lost machine may come back with all that such a copy lacks; a process that ended here would not. */
const STALE = 'the copy that answers was started anew and has had nothing of its primary since';

export interface WatchSurroundings extends Seer {
  machine: string;
  roster: Roster;
  neighbours: Pick<Neighbours, 'ask'>;
  desk: NeighbourDesk;
  mayDecide: () => boolean;
  moved: (databaseUid: string) => void;
  failovers: Pick<FailoverLog, 'begin'>;
  /** As for the shards' keeper. */
  longestWait: (databaseUid: string, node: NodeId) => Promise<number>;
  log: Logger;
}

/** What is to be taken over: primaries, by the machine they are on. */
type Lost = Map<string, PeerView[]>;

export class MachineWatch {
  readonly #around: WatchSurroundings;
  readonly #busy = new Set<string>();
  #timer: EndTimer | null = null;
  #closed = false;

  constructor(around: WatchSurroundings) {
    this.#around = around;
  }

  begin(): void {
    this.#look();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.();
  }

  #look(): void {
    const { clock, machine, roster, mayDecide } = this.#around;
    if (this.#closed) return;
    this.#timer = clock.timer(LOOK_MS, () => this.#look());
    const { voters } = roster.voters;
    const silent = voters.length < FEWEST_VOTERS || !mayDecide() ? [] : this.#silentOnes();
    if (silent.length === 0) return;
    for (const database of roster.databases) {
      const concerned = database.nodes.some((node) => silent.includes(node.machine));
      const isHere = database.nodes.some((node) => node.machine === machine);
      if (!concerned || !isHere || database.deleting || this.#busy.has(database.uid)) continue;
      this.#busy.add(database.uid);
      this.#takeOver(database, silent)
        .catch((error: unknown) => this.#around.log.error({ err: error }, 'Taking over failed.'))
        .finally(() => this.#busy.delete(database.uid));
    }
  }

  /** Other voters whose lease this one has let run out, or nearly. */
  #silentOnes(): string[] {
    const { machine, roster } = this.#around;
    const others = roster.voters.voters.map((voter) => voter.machine).filter((name) => name !== machine);
    return others.filter((name) => this.#isSilent(name));
  }

  #isSilent(machine: string): boolean {
    const { clock, desk } = this.#around;
    return desk.votes.leftMs(machine, clock.now()) <= AHEAD_MS;
  }

  async #takeOver(database: GuardedDatabase, silent: readonly string[]): Promise<void> {
    const lost = await this.#lostPrimaries(database, silent);
    if (lost.size === 0) return void (await this.#around.clock.sleep(RETRY_MS));
    await this.#around.clock.sleep(this.#rank(database, silent) * RANK_MS);
    this.#around.moved(database.uid);
    const begunAt = this.#around.clock.now();
    const agreed = await this.#claimAll(database, lost);
    try {
      if (agreed.size > 0) await this.#promoteAll(database, agreed, begunAt + WORK_MS);
    } finally {
      for (const machine of lost.keys())
        this.#tellAll({ ask: 'release', by: this.#around.machine, machine, database: database.uid });
    }
    if (agreed.size < lost.size) await this.#around.clock.sleep(RETRY_MS);
  }

  /** Primaries on those machines, as the replicas here know them; none where no replica here lacks its primary. */
  async #lostPrimaries(database: GuardedDatabase, silent: readonly string[]): Promise<Lost> {
    const { machine } = this.#around;
    const machineOf = new Map(database.nodes.map((node) => [node.id, node.machine]));
    const shards = new Set(database.nodes.filter((node) => node.machine === machine).map(({ shard }) => shard));
    for (const shard of shards) {
      const own = database.nodes.filter((node) => node.shard === shard && node.machine === machine);
      const alone = { ...database, nodes: own };
      const { view } = await lookAtShard(this.#around, alone, shard, new Set());
      for (const { id } of own) {
        const engine = answering(view.nodes.get(id));
        if (engine?.role !== 'replica' || !silent.includes(machineOf.get(engine.primaryId!) ?? '')) continue;
        const owners = engine.peers.filter(({ role, slots }) => role === 'primary' && slots.length > 0);
        const gone = owners.filter((peer) => silent.includes(machineOf.get(peer.id) ?? ''));
        return Map.groupBy(gone, (peer) => machineOf.get(peer.id)!);
      }
    }
    return new Map();
  }

  /** This machine's place among those with nodes of the database that are heard of. */
  #rank(database: GuardedDatabase, silent: readonly string[]): number {
    const machines = [...new Set(database.nodes.map((node) => node.machine))].filter((name) => !silent.includes(name));
    return machines.sort(byName).indexOf(this.#around.machine);
  }

  /** @returns the nodes of the machines for which a majority agreed */
  async #claimAll(database: GuardedDatabase, lost: Lost): Promise<Map<NodeId, string>> {
    const claims = [...lost].map(async ([machine, primaries]) =>
      (await this.#claim(database, machine, primaries)) ? primaries.map(({ id }) => [id, machine] as const) : [],
    );
    return new Map((await Promise.all(claims)).flat());
  }

  async #claim({ name, uid }: GuardedDatabase, machine: string, primaries: readonly PeerView[]): Promise<boolean> {
    const { log, machine: by, roster } = this.#around;
    const nodes = primaries.map(({ host, port }) => ({ host, port }));
    const answers = await this.#askAll({ ask: 'claim', by, machine, database: uid, nodes });
    const votes = answers.filter((answer) => answer.kind === 'agreed').length;
    const denied = answers.flatMap((answer) => (answer.kind === 'denied' ? [answer.reason] : []));
    const needed = majorityOf(roster.voters.voters.length);
    log.warn({ database: name, machine, votes, needed, denied }, 'A machine is not heard of: asked to take over.');
    return votes >= needed;
  }

  /** Who is not heard of is not asked: its silence would cost time that clients wait. */
  async #askAll(question: Question): Promise<Answer[]> {
    const { desk, machine, neighbours, roster } = this.#around;
    const heardOf = roster.voters.voters.filter((voter) => voter.machine === machine || !this.#isSilent(voter.machine));
    const answers = heardOf.map(async (voter) => {
      if (voter.machine === machine) return [];
      const heard = await neighbours.ask(voter, question);
      return heard.how === 'answered' ? [heard.answer] : [];
    });
    const own = await desk.answer(question, null);
    return [own, ...(await Promise.all(answers)).flat()];
  }

  #tellAll(question: Question): void {
    void this.#askAll(question).catch(() => {}); // it is forgotten by itself, too
  }

  /** One after the other: a takeover raises the epoch without anyone's consent. */
  async #promoteAll(database: GuardedDatabase, agreed: ReadonlyMap<NodeId, string>, until: number): Promise<void> {
    const stopped = new Set(agreed.keys());
    for (const id of stopped) {
      if (database.nodes.some((node) => node.id === id)) await this.#replace(database, id, stopped, until);
    }
  }

  async #replace(database: GuardedDatabase, lost: NodeId, stopped: ReadonlySet<NodeId>, until: number): Promise<void> {
    const { clock, engines, machine, moved } = this.#around;
    const { shard } = database.nodes.find(({ id }) => id === lost)!;
    const about = beginningOf(database, lost, 'machine_lost', machine);
    const story = new ShardStory(this.#around, about, `a majority agrees that ${about.machine} is lost`);
    while (this.#around.clock.now() < until) {
      const sight = await lookAtShard(this.#around, database, shard, stopped);
      const plan = this.#around.plan(sight.database, sight.view, shard);
      story.saw(sight, plan);
      const step = plan.steps.find((one) => one.kind === 'promote' && one.args.insteadOf === lost);
      const candidate = database.nodes.find(({ id }) => id === step?.target);
      const seen = candidate && sight.view.nodes.get(candidate.id)!;
      if (seen && !isCurrent({ engine: answering(seen) })) story.waits(STALE);
      else if (step?.kind === 'promote' && candidate && seen && !unmetExpectation(step.expects, seen)) {
        const engine = engines.connection(database.adminPassword, candidate);
        const outcome = await promote(clock, engine, step.args.mode).catch((error: Error) => ({
          result: 'retry' as const,
          reason: error.message,
        }));
        moved(database.uid);
        story.promoted(step, outcome);
        if (outcome.result === 'done') break;
      } else if (!plan.problems.some(({ code }) => code === 'primary_dead')) break;
      await this.#around.clock.sleep(REPEAT_MS);
    }
    story.over();
  }
}
