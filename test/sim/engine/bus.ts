/** The cluster bus: pings, handshakes, who fails, who owns what. After clusterProcessPacket and clusterCron. */
import type { NodeId } from '../../../src/domain/ids.ts';
import type { Election, VotingProcess } from './election.ts';
import {
  type Gossip,
  type Handshake,
  type Header,
  type Message,
  type Messenger,
  NODE_TIMEOUT_MS,
  type Peer,
} from './state.ts';

const PING_INTERVAL_MS = NODE_TIMEOUT_MS / 2;
const PING_AGAIN_MS = 500;
const RANDOM_PING_MS = 1_000;
const GOSSIP_NODES = 3;
const REPORT_VALID_MS = NODE_TIMEOUT_MS * 2;

/** What the bus needs of its process. */
export interface TalkingProcess extends VotingProcess {
  readonly bus: Bus;
  readonly election: Election;
  send(host: string, port: number, work: (target: TalkingProcess) => void): void;
}

export class Bus implements Messenger {
  readonly #engine: TalkingProcess;
  #randomPingAt = 0;

  constructor(engine: TalkingProcess) {
    this.#engine = engine;
  }

  meet(host: string, port: number): void {
    this.#handshake(host, port, true);
  }

  header(): Header {
    const engine = this.#engine;
    const { id, role, primaryId, currentEpoch } = engine;
    const { host, port, machine } = engine.identity;
    const leader = role === 'replica' && primaryId ? primaryId : id;
    return {
      id,
      host,
      port,
      machine,
      role,
      primaryId: role === 'primary' ? null : primaryId,
      shardId: engine.shardId,
      configEpoch: engine.epochOfPeer(leader),
      currentEpoch,
      slots: engine.ownedBy(leader),
      offset: engine.replication.offset,
      paused: engine.election.isPaused,
    };
  }

  /** Pings, repeats pings, notices who does not answer; ends handshakes that lead nowhere. */
  cron(): void {
    const engine = this.#engine;
    const { now } = engine;
    engine.handshakes = engine.handshakes.filter(({ since }) => now - since < NODE_TIMEOUT_MS);
    for (const handshake of engine.handshakes) {
      if (handshake.pingAgainAt <= now) this.#greet(handshake);
    }
    if (now >= this.#randomPingAt && engine.peers.size > 0) {
      this.#randomPingAt = now + RANDOM_PING_MS;
      const oldest = [...engine.peers.values()].reduce((a, b) => (b.pongAt < a.pongAt ? b : a));
      if (oldest.pingSentAt === 0) this.ping(oldest);
    }
    let noticed = false;
    for (const peer of engine.peers.values()) {
      if (peer.pingSentAt === 0) {
        if (now - peer.pongAt > PING_INTERVAL_MS || engine.election.mfReplica === peer.id) this.ping(peer);
        continue;
      }
      if (peer.pingAgainAt <= now) this.ping(peer);
      const silentMs = Math.min(now - peer.pingSentAt, now - peer.dataAt);
      if (silentMs > NODE_TIMEOUT_MS && !peer.pfail && !peer.fail) {
        peer.pfail = true;
        noticed = true;
        engine.changed();
        if (engine.isVoting(engine.id)) this.#failIfAgreed(peer);
      }
    }
    if (noticed) engine.updateState();
  }

  ping(peer: Peer): void {
    if (peer.pingSentAt === 0) peer.pingSentAt = this.#engine.now;
    peer.pingAgainAt = this.#engine.now + PING_AGAIN_MS;
    const message: Message = { ...this.header(), type: 'ping', gossip: this.#gossip() };
    this.#sendTo(peer, message);
  }

  broadcastPong(): void {
    this.broadcast({ ...this.header(), type: 'pong', gossip: [] });
  }

  broadcast(message: Message): void {
    for (const peer of this.#engine.peers.values()) this.#sendTo(peer, message);
  }

  sendTo(id: NodeId, message: Message): void {
    const peer = this.#engine.peers.get(id);
    if (peer) this.#sendTo(peer, message);
  }

  #sendTo({ host, port }: Pick<Peer, 'host' | 'port'>, message: Message): void {
    this.#engine.send(host, port, (target) => target.bus.received(message));
  }

  #handshake(host: string, port: number, meet: boolean): void {
    const { handshakes, now } = this.#engine;
    if (handshakes.some((known) => known.host === host && known.port === port)) return;
    handshakes.push({ host, port, since: now, meet, pingAgainAt: now });
  }

  /** The answer to a greeting tells who is there. */
  #greet(handshake: Handshake): void {
    const engine = this.#engine;
    handshake.pingAgainAt = engine.now + PING_AGAIN_MS;
    const type = handshake.meet ? 'meet' : 'ping';
    const message: Message = { ...this.header(), type, gossip: this.#gossip() };
    const { host, port } = engine.identity;
    engine.send(handshake.host, handshake.port, (target) => {
      target.bus.received(message, true);
      const pong: Message = { ...target.bus.header(), type: 'pong', gossip: [] };
      target.send(host, port, (asker) => {
        if (asker === engine) this.#introduced(handshake, pong);
      });
    });
  }

  #introduced(handshake: Handshake, pong: Message): void {
    const engine = this.#engine;
    if (!engine.handshakes.includes(handshake)) return;
    engine.handshakes = engine.handshakes.filter((other) => other !== handshake);
    if (pong.id === engine.id) return;
    const known = engine.peers.get(pong.id);
    if (known) {
      known.host = pong.host;
      known.port = pong.port;
      engine.changed();
    } else engine.addPeer(pong.id, pong.host, pong.port);
    engine.peers.get(pong.id)!.pongAt = engine.now;
    this.received(pong);
  }

  /** `answered` when the greeter hears of us by itself. */
  received(message: Message, answered = false): void {
    const engine = this.#engine;
    if (engine.loading) return;
    const sender = engine.peers.get(message.id);
    if (sender) this.#note(sender, message);
    switch (message.type) {
      case 'ping':
      case 'meet':
      case 'pong':
        if (message.type === 'meet' && !sender) {
          this.#handshake(message.host, message.port, false);
          this.#believe(message.gossip);
        }
        if (message.type !== 'pong' && !answered)
          this.#sendTo(message, { ...this.header(), type: 'pong', gossip: this.#gossip() });
        if (sender) this.#learn(sender, message);
        break;
      case 'fail': {
        const failing = engine.peers.get(message.about);
        if (sender && failing && !failing.fail) this.#markFailing(failing);
        break;
      }
      case 'update':
        if (sender) this.#update(message.about, message.epoch, message.owned);
        break;
      default:
        if (sender) engine.election.received(sender, message);
    }
  }

  #note(sender: Peer, message: Message): void {
    const engine = this.#engine;
    sender.dataAt = engine.now;
    engine.currentEpoch = Math.max(engine.currentEpoch, message.currentEpoch);
    if (message.role === 'primary' && message.configEpoch > sender.configEpoch) {
      sender.configEpoch = message.configEpoch;
      engine.changed();
      engine.election.outbid(message.configEpoch);
    }
    sender.offset = message.offset;
    engine.election.heardOffset(sender, message);
  }

  #learn(sender: Peer, message: Extract<Message, { type: 'ping' | 'pong' | 'meet' }>): void {
    const engine = this.#engine;
    if (message.type === 'pong') {
      sender.pongAt = engine.now;
      sender.pingSentAt = 0;
      if (sender.pfail) {
        sender.pfail = false;
        engine.changed();
        engine.updateState();
      }
      if (sender.fail) this.#clearFailure(sender);
    } else if (sender.host !== message.host || sender.port !== message.port) {
      sender.host = message.host;
      sender.port = message.port;
      engine.changed();
    }
    const wasReplica = sender.role === 'replica';
    if (message.role === 'primary') {
      if (wasReplica) this.#nowPrimary(sender);
    } else if (!this.#nowReplica(sender, message)) return;
    if (message.role === 'primary') {
      const known = engine.ownedBy(sender.id);
      if (
        wasReplica ||
        known.length !== message.slots.length ||
        known.some((range, at) => range !== message.slots[at])
      ) {
        this.#claims(sender.id, message.configEpoch, message.slots);
        this.#correct(sender, message);
      }
      if (engine.role === 'primary' && message.configEpoch === engine.configEpoch && sender.id > engine.id) {
        engine.currentEpoch += 1;
        engine.configEpoch = engine.currentEpoch;
        engine.changed();
      }
    }
    this.#heed(sender, message.gossip);
    if (sender.shardId !== message.shardId) {
      sender.shardId = message.shardId;
      engine.changed();
    }
    if (engine.role === 'replica' && engine.primaryId === sender.id && engine.shardId !== sender.shardId) {
      engine.shardId = sender.shardId;
      engine.changed();
    }
  }

  #nowPrimary(peer: Peer): void {
    peer.role = 'primary';
    peer.primaryId = null;
    this.#engine.changed();
  }

  /** @returns whether the message is to be read on: one that is older than what is known is not */
  #nowReplica(sender: Peer, message: Header): boolean {
    const engine = this.#engine;
    const claimed = message.primaryId;
    const primary = claimed === null ? undefined : engine.peers.get(claimed);
    const known = claimed === engine.id || primary !== undefined;
    if (sender.role === 'primary') {
      const shardId = claimed === engine.id ? engine.shardId : primary?.shardId;
      if (claimed !== null && shardId === sender.shardId) {
        if (engine.epochOf(sender.id) > message.configEpoch || engine.epochOf(claimed) > message.configEpoch)
          return false;
        if (primary?.role === 'replica') {
          for (const range of engine.ownedBy(sender.id)) engine.owners[range] = claimed;
          this.#nowPrimary(primary);
          primary.configEpoch = message.configEpoch;
        }
      } else for (const range of engine.ownedBy(sender.id)) engine.owners[range] = null;
      sender.role = 'replica';
      engine.changed();
      engine.updateState();
    }
    if (known && sender.primaryId !== claimed) {
      sender.primaryId = claimed;
      sender.shardId = primary?.shardId ?? engine.shardId;
      engine.changed();
      const mine = engine.role === 'replica' && engine.primaryId ? engine.peers.get(engine.primaryId) : undefined;
      if (mine?.role === 'replica' && mine.primaryId && mine.primaryId !== engine.id)
        engine.follow(mine.primaryId, false);
    }
    return true;
  }

  /** `clusterUpdateSlotsConfigWith`: the higher epoch wins; who loses all it had follows the winner. */
  #claims(sender: NodeId, epoch: number, claimed: readonly number[]): void {
    const engine = this.#engine;
    const leader = engine.role === 'primary' ? engine.id : engine.primaryId;
    let takenFromUs = false;
    let changed = false;
    for (const range of claimed) {
      const owner = engine.owners[range] ?? null;
      if (owner === sender || (owner !== null && engine.epochOfPeer(owner) >= epoch)) continue;
      if (owner !== null && owner === leader) takenFromUs = true;
      engine.owners[range] = sender;
      changed = true;
    }
    if (!changed) return;
    engine.changed();
    const ours = engine.peers.get(sender)?.shardId === engine.shardId;
    if (takenFromUs && ours && leader !== null && engine.ownedBy(leader).length === 0) {
      engine.follow(sender, false);
      this.broadcastPong();
    }
    engine.updateState();
  }

  /** Tells a sender with an old picture who owns the slots it claims. */
  #correct(sender: Peer, message: Header): void {
    const engine = this.#engine;
    for (const range of message.slots) {
      const owner = engine.owners[range] ?? null;
      if (owner === null || owner === sender.id || engine.epochOfPeer(owner) <= message.configEpoch) continue;
      this.tellOwner(sender.id, owner);
      return;
    }
  }

  tellOwner(to: NodeId, owner: NodeId): void {
    const engine = this.#engine;
    this.sendTo(to, {
      ...this.header(),
      type: 'update',
      about: owner,
      epoch: engine.epochOfPeer(owner),
      owned: engine.ownedBy(owner),
    });
  }

  #update(about: NodeId, epoch: number, owned: readonly number[]): void {
    const peer = this.#engine.peers.get(about);
    if (!peer || peer.configEpoch >= epoch) return;
    if (peer.role === 'replica') this.#nowPrimary(peer);
    peer.configEpoch = epoch;
    this.#engine.changed();
    this.#claims(about, epoch, owned);
  }

  #gossip(): Gossip[] {
    const engine = this.#engine;
    const peers = [...engine.peers.values()];
    const failing = peers.filter(({ fail, pfail }) => fail || pfail);
    const some = engine.around.random.shuffled(peers.filter((peer) => !failing.includes(peer))).slice(0, GOSSIP_NODES);
    return [...failing, ...some].map(({ id, host, port, fail, pfail }) => ({ id, host, port, failing: fail || pfail }));
  }

  #heed(sender: Peer, gossip: readonly Gossip[]): void {
    const engine = this.#engine;
    for (const { id, failing } of gossip) {
      const peer = engine.peers.get(id);
      if (!peer || !engine.isVoting(sender.id)) continue;
      if (failing) {
        peer.reports.set(sender.id, engine.now);
        this.#failIfAgreed(peer);
      } else peer.reports.delete(sender.id);
    }
    this.#believe(gossip);
  }

  /** Whom a trusted node knows is worth meeting. */
  #believe(gossip: readonly Gossip[]): void {
    const engine = this.#engine;
    for (const { id, host, port } of gossip) {
      if (id !== engine.id && !engine.peers.has(id) && !engine.isForgotten(id)) this.#handshake(host, port, false);
    }
  }

  #failIfAgreed(peer: Peer): void {
    const engine = this.#engine;
    if (!peer.pfail || peer.fail) return;
    let votes = engine.isVoting(engine.id) ? 1 : 0;
    for (const [reporter, at] of peer.reports) {
      if (engine.now - at < REPORT_VALID_MS && engine.isVoting(reporter)) votes += 1;
    }
    if (votes < engine.quorum) return;
    this.#markFailing(peer);
    this.broadcast({ ...this.header(), type: 'fail', about: peer.id });
  }

  #markFailing(peer: Peer): void {
    const engine = this.#engine;
    peer.pfail = false;
    peer.fail = true;
    peer.failAt = engine.now;
    engine.changed();
    engine.updateState();
    engine.election.handle();
  }

  #clearFailure(peer: Peer): void {
    const engine = this.#engine;
    if (engine.isVoting(peer.id) && engine.now - peer.failAt <= NODE_TIMEOUT_MS * 2) return;
    peer.fail = false;
    engine.changed();
    engine.updateState();
  }
}
