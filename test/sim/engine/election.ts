/** Failovers: the votes of an election, the coordinated one, and the engine's own fallback. */
import type { NodeId } from '../../../src/domain/ids.ts';
import type { ReplicatingProcess } from './replication.ts';
import { type Header, MANUAL_FAILOVER_MS, type Message, type Messenger, NODE_TIMEOUT_MS, type Peer } from './state.ts';

const AUTH_TIMEOUT_MS = NODE_TIMEOUT_MS * 2;
const AUTH_RETRY_MS = AUTH_TIMEOUT_MS * 2;
const DELAY_MS = Math.min(500, NODE_TIMEOUT_MS / 30);
const PAUSE_MS = MANUAL_FAILOVER_MS * 2;
/** Older data is not elected by itself: ten node time-outs and a replication ping. */
const MAX_DATA_AGE_MS = NODE_TIMEOUT_MS * 10 + 10_000;

/** What elections need of their process. */
export interface VotingProcess extends ReplicatingProcess {
  readonly bus: Messenger;
}

export class Election {
  readonly #engine: VotingProcess;
  /** Until when writes wait, as a primary whose replica is about to take over. */
  pausedUntil = 0;
  mfReplica: NodeId | null = null;
  #mfEnd = 0;
  #mfCanStart = false;
  #mfOffset: number | null = null;
  #forced = false;
  #authAt = 0;
  #authSent = false;
  #authEpoch = 0;
  readonly #votes = new Set<NodeId>();

  constructor(engine: VotingProcess) {
    this.#engine = engine;
  }

  get isPaused(): boolean {
    return this.pausedUntil > this.#engine.now;
  }

  /** CLUSTER FAILOVER, in one of its three ways. */
  order(mode: 'coordinated' | 'force' | 'takeover'): void {
    const engine = this.#engine;
    this.reset();
    this.#mfEnd = engine.now + MANUAL_FAILOVER_MS;
    if (mode === 'takeover') {
      engine.bumpEpoch();
      engine.replacePrimary('takeover');
    } else if (mode === 'force') {
      this.#forced = true;
      this.#canStart();
      this.handle();
    } else engine.bus.sendTo(engine.primaryId!, { ...engine.bus.header(), type: 'mf-start' });
  }

  /** `resetManualFailover`. */
  reset(): void {
    if (this.mfReplica !== null) this.pausedUntil = 0;
    this.mfReplica = null;
    this.#mfEnd = 0;
    this.#mfCanStart = false;
    this.#mfOffset = null;
    this.#forced = false;
  }

  forgetAttempt(): void {
    this.#authAt = 0;
  }

  /** Somebody claims an epoch that this election cannot beat any more. */
  outbid(epoch: number): void {
    if (this.#authAt > 0 && this.#authSent && epoch >= this.#authEpoch) this.#authAt = 0;
  }

  /** A paused primary told its offset. */
  heardOffset(sender: Peer, { paused, offset }: Header): void {
    const engine = this.#engine;
    if (this.#mfEnd === 0 || engine.role !== 'replica' || engine.primaryId !== sender.id || !paused) return;
    this.#mfOffset ??= offset;
  }

  cron(): void {
    if (this.#mfEnd > 0 && this.#mfEnd < this.#engine.now) this.reset();
    this.handle();
  }

  received(sender: Peer, message: Message): void {
    if (message.type === 'auth-request') this.#vote(sender, message, message.force);
    if (message.type === 'auth-ack') this.#gotVote(sender, message);
    if (message.type === 'mf-start') this.#pauseFor(sender);
  }

  /** `clusterHandleManualFailover` and `clusterHandleReplicaFailover`. */
  handle(): void {
    const engine = this.#engine;
    const { now } = engine;
    if (engine.role === 'primary' || engine.primaryId === null) return;
    if (this.#mfEnd > 0 && !this.#mfCanStart && this.#mfOffset === engine.replication.offset) this.#canStart();
    const manual = this.#mfEnd > 0 && this.#mfCanStart;
    const primary = engine.peers.get(engine.primaryId);
    if (!manual && (!primary?.fail || engine.replication.dataAgeMs > MAX_DATA_AGE_MS)) return;
    if (now - this.#authAt > AUTH_RETRY_MS) {
      this.#authAt = manual
        ? now
        : now + DELAY_MS + engine.around.random.next() * DELAY_MS + this.#rank() * DELAY_MS * 2;
      this.#authSent = false;
      this.#votes.clear();
      engine.bus.broadcastPong();
    }
    if (now < this.#authAt || now - this.#authAt > AUTH_TIMEOUT_MS) return;
    if (!this.#authSent) {
      engine.currentEpoch += 1;
      this.#authEpoch = engine.currentEpoch;
      this.#authSent = true;
      engine.changed();
      engine.bus.broadcast({ ...engine.bus.header(), type: 'auth-request', force: this.#mfEnd > 0 });
      return;
    }
    if (this.#votes.size < engine.quorum) return;
    engine.configEpoch = Math.max(engine.configEpoch, this.#authEpoch);
    engine.replacePrimary(this.#forced ? 'force' : manual ? 'coordinated' : 'election');
  }

  /** A manual failover does not wait for what an earlier election left. */
  #canStart(): void {
    this.#mfCanStart = true;
    this.#authAt = 0;
  }

  #rank(): number {
    const engine = this.#engine;
    return [...engine.peers.values()].filter(
      ({ role, primaryId, offset }) =>
        role === 'replica' && primaryId === engine.primaryId && offset > engine.replication.offset,
    ).length;
  }

  /** `clusterSendFailoverAuthIfNeeded`. */
  #vote(sender: Peer, message: Header, force: boolean): void {
    const engine = this.#engine;
    if (!engine.isVoting(engine.id) || !engine.safeToJoin) return;
    if (message.currentEpoch < engine.currentEpoch || engine.lastVoteEpoch === engine.currentEpoch) return;
    const primary = sender.primaryId === null ? undefined : engine.peers.get(sender.primaryId);
    const failed = sender.primaryId === engine.id ? false : primary?.fail === true;
    if (sender.role === 'primary' || sender.primaryId === null || (!failed && !force)) return;
    for (const range of message.slots) {
      const owner = engine.owners[range] ?? null;
      if (owner === null || engine.epochOfPeer(owner) <= message.configEpoch) continue;
      engine.bus.tellOwner(sender.id, owner);
      return;
    }
    engine.lastVoteEpoch = engine.currentEpoch;
    engine.changed();
    engine.bus.sendTo(sender.id, { ...engine.bus.header(), type: 'auth-ack' });
  }

  #gotVote(sender: Peer, message: Header): void {
    if (!this.#engine.isVoting(sender.id) || message.currentEpoch < this.#authEpoch || !this.#authSent) return;
    this.#votes.add(sender.id);
    this.handle();
  }

  #pauseFor(sender: Peer): void {
    const engine = this.#engine;
    if (sender.primaryId !== engine.id) return;
    this.reset();
    this.#mfEnd = engine.now + MANUAL_FAILOVER_MS;
    this.mfReplica = sender.id;
    this.pausedUntil = engine.now + PAUSE_MS;
    engine.bus.ping(sender);
  }
}
