/**
 * Replication and what of the data is where: streams, full copies with the second in which a replica only looks in
 * sync, and partial resynchronisation by history and offset. After replication.c.
 */
import { nodesOf } from '../network.ts';
import { type Copy, type Disk, type Process, readLog } from './state.ts';
import { Storage } from './storage.ts';

const WRITE_BYTES = 100;
const PROBE_BYTES = 150;
const PING_BYTES = 14;
const PING_EVERY_MS = 10_000;
/** The engine's replication cron: acknowledgements, reconnections, and when a new replica is begun to be streamed to. */
const TICK_MS = 1_000;
/** `repl-timeout`. */
const DEAD_LINK_MS = 60_000;

/** What replication needs of its process. */
export interface ReplicatingProcess extends Process {
  readonly replication: Replication;
  readonly isPaused: boolean;
  send(host: string, port: number, work: (target: ReplicatingProcess) => void): void;
  /** A copy is no longer held: another took its place. */
  dropped(log: readonly number[], why: string): void;
  /** Its replicas have applied something. */
  replicated(): void;
}

type LinkState = 'joining' | 'copying' | 'loading' | 'quiet' | 'streaming' | 'closed';

/** A replica's connection to its primary. */
class Link {
  state: LinkState = 'joining';
  readonly primary: ReplicatingProcess;
  readonly replica: ReplicatingProcess;
  /** From where the replica goes on; null when it needs a full copy. */
  readonly resume: Wanted | null;
  /** The copy is read into memory as it comes, for there was nothing to keep till it is whole. */
  straight = false;
  /** It broke while the copy was being loaded, which goes on all the same. */
  broken = false;
  /** Writes that the replica has, and up to which offset it was sent the stream. */
  cursor = 0;
  sentOffset = 0;
  ackedOffset = 0;
  ackAt: number;

  constructor(primary: ReplicatingProcess, replica: ReplicatingProcess, resume: Wanted | null) {
    this.resume = resume;
    this.primary = primary;
    this.replica = replica;
    this.ackAt = primary.now;
  }
}

interface Wanted {
  replId: string;
  offset: number;
  writes: number;
}

export class Replication {
  readonly #engine: ReplicatingProcess;
  log: number[];
  offset = 0;
  /** Bytes of the stream since the last full copy: `repl_backlog_histlen`. */
  histlen = 0;
  #replId: string;
  #replId2 = '';
  #replId2Offset = -1;
  /** It knows where it was in its primary's history, and may ask for the rest only. */
  #cached = false;
  #link: Link | null = null;
  readonly replicas = new Set<Link>();
  /** Since when the link has been down that was up; a process that never had one is not elected: its data is too old. */
  #downSince = Number.NEGATIVE_INFINITY;
  #nextTick = 0;
  #nextPing = 0;
  #attempt = 0;
  readonly storage: Storage;
  /** A copy that has come whole and is being read into memory: no longer its primary's to lose. */
  #loading: readonly number[] | null = null;

  constructor(engine: ReplicatingProcess, disk: Disk) {
    this.#engine = engine;
    this.#replId = engine.around.random.hex(12);
    this.#nextPing = engine.now + PING_EVERY_MS;
    this.storage = new Storage(engine, disk);
    this.log = [...readLog(disk)];
    if (!this.storage.keepsLog && disk.rdb) {
      this.offset = disk.rdb.offset;
      this.#replId2 = disk.rdb.replId;
      this.#replId2Offset = disk.rdb.offset;
    }
  }

  /** Loaded: a replica looks for its primary. */
  begin(): void {
    if (this.#engine.role !== 'replica') return;
    if (this.#replId2Offset >= 0) {
      this.#cached = true;
      this.#replId = this.#replId2;
    }
    this.#connect();
  }

  get linkUp(): boolean {
    return this.#link?.state === 'quiet' || this.#link?.state === 'streaming';
  }

  get isCopying(): boolean {
    return this.#link?.state === 'copying' || this.#link?.state === 'loading';
  }

  get isLoadingCopy(): boolean {
    return this.#link?.state === 'loading';
  }

  /** `slave_repl_offset`. */
  get shownOffset(): number {
    return this.linkUp || this.#cached ? this.offset : 1;
  }

  /** `master_link_down_since_seconds`. */
  get downSeconds(): number {
    const forMs = this.#engine.now - this.#downSince;
    return Number.isFinite(forMs) ? Math.floor(forMs / 1_000) : -1;
  }

  /** `master_replid`. */
  get history(): string {
    return this.#replId;
  }

  get dataAgeMs(): number {
    return this.linkUp ? 0 : this.#engine.now - this.#downSince;
  }

  /** What it would not lose by itself: neither half a copy, nor what a crash would leave. */
  get held(): readonly number[][] {
    const memory = this.#link?.state === 'copying' && this.#link.straight ? [] : this.log;
    return [memory, ...(this.#loading ? [[...this.#loading]] : []), ...this.storage.held];
  }

  /** The replicas, as INFO lists them. */
  get listed(): { engine: ReplicatingProcess; state: string; ackedOffset: number; ackAgeSeconds: number }[] {
    return [...this.replicas].map(({ replica, state, ackedOffset, ackAt }) => ({
      engine: replica,
      state: state === 'joining' ? 'wait_bgsave' : state === 'copying' || state === 'loading' ? 'send_bulk' : 'online',
      ackedOffset,
      ackAgeSeconds: Math.floor((this.#engine.now - ackAt) / 1_000),
    }));
  }

  copy(): Copy {
    return { log: [...this.log], replId: this.#replId, offset: this.offset, at: this.#engine.now };
  }

  /** A client's write, acknowledged at once. */
  write(id: number): void {
    this.log.push(id);
    this.#grow(WRITE_BYTES);
  }

  /** A write that leaves nothing behind. */
  probe(): void {
    this.#grow(PROBE_BYTES);
  }

  #grow(bytes: number): void {
    this.offset += bytes;
    if (this.replicas.size > 0) this.histlen += bytes;
    this.storage.grew();
    for (const link of this.replicas) this.#pump(link);
  }

  /** Replicas that have acknowledged the offset. */
  acknowledged(offset: number): number {
    return [...this.replicas].filter((link) => link.state === 'streaming' && link.ackedOffset >= offset).length;
  }

  /** REPLCONF GETACK. */
  askForAcks(): void {
    for (const link of this.replicas) {
      if (link.state !== 'streaming') continue;
      this.#stream(link, () => link.replica.replication.#ack());
    }
  }

  /** The writes that every replica in the stream has; all of them when there is none. */
  get common(): number {
    let common = this.log.length;
    for (const link of this.replicas) if (link.state === 'streaming') common = Math.min(common, link.cursor);
    return common;
  }

  get hasStream(): boolean {
    for (const link of this.replicas) if (link.state === 'streaming') return true;
    return false;
  }

  /** When the stream brought its first write to an empty replica. */
  emptyUntil = 0;
  /** When it lost its primary it was in the stream: what it lacks was on its way. */
  wasInStream = false;

  /** `replicationUnsetPrimary`: the history goes on under another name. */
  lead(): void {
    this.#close();
    this.#downSince = Number.NEGATIVE_INFINITY;
    this.#replId2 = this.#replId;
    this.#replId2Offset = this.offset;
    this.#replId = this.#engine.around.random.hex(12);
    this.#cached = false;
  }

  /** The engine deletes the keys of slots that it believes another to own. */
  deleteAll(): void {
    const { log } = this;
    this.log = [];
    this.storage.grew();
    this.#engine.dropped(log, 'it became a primary and deleted the keys of slots that it believed another to own');
  }

  /** `replicationSetPrimary`. */
  follow(wasPrimary: boolean, fullCopy: boolean): void {
    const wasUp = this.linkUp;
    this.#close();
    for (const link of this.replicas) this.#stream(link, () => link.replica.replication.#lost(link));
    this.replicas.clear();
    if (fullCopy) this.#cached = false;
    else if (wasPrimary || wasUp) this.#cached = true;
    this.#connect();
  }

  cron(): void {
    const { now } = this.#engine;
    for (const link of this.replicas) this.#pump(link);
    this.storage.cron(this.isCopying);
    if (this.#engine.role === 'primary' && now >= this.#nextPing && this.replicas.size > 0 && !this.#engine.isPaused) {
      this.#nextPing = now + PING_EVERY_MS;
      this.#grow(PING_BYTES);
    }
    if (now < this.#nextTick) return;
    this.#nextTick = now + TICK_MS;
    if (this.#engine.role !== 'replica') return;
    const link = this.#link;
    if (!link) this.#connect();
    else if (!link.primary.alive && this.#hears(link)) this.#lost(link);
    else if (now - link.ackAt > DEAD_LINK_MS) this.#lost(link);
    else this.#ack();
  }

  /** The process is gone. What the kernel has of its stream still arrives, unless the machine went with it. */
  end(powerLost: boolean): ReturnType<Storage['end']> {
    for (const link of this.replicas) {
      if (!powerLost) this.#stream(link, () => link.replica.replication.#lost(link));
    }
    if (this.#link && !powerLost) this.#link.primary.replication.replicas.delete(this.#link);
    return this.storage.end(powerLost);
  }

  #connect(): void {
    const engine = this.#engine;
    const peer = engine.primaryId === null ? undefined : engine.peers.get(engine.primaryId);
    if (this.#link || !peer || engine.loading) return;
    this.#attempt += 1;
    const attempt = this.#attempt;
    const wanted = this.#cached ? { replId: this.#replId, offset: this.offset, writes: this.log.length } : null;
    engine.send(peer.host, peer.port, (target) => {
      const link = target.replication.#admit(engine, wanted);
      if (!link) return;
      const { host, port } = engine.identity;
      target.send(host, port, (asker) => {
        if (asker === engine) this.#joined(link, attempt);
      });
    });
  }

  /** PSYNC, as the primary answers it. */
  #admit(replica: ReplicatingProcess, wanted: Wanted | null): Link | null {
    const engine = this.#engine;
    if (engine.role !== 'primary' || engine.loading) return null;
    for (const old of this.replicas) if (old.replica.id === replica.id) this.replicas.delete(old);
    const backlogHasIt = !engine.around.random.chance(0.03);
    const sameHistory =
      wanted !== null &&
      ((wanted.replId === this.#replId && wanted.offset <= this.offset) ||
        (wanted.replId === this.#replId2 && wanted.offset <= this.#replId2Offset));
    const link = new Link(engine, replica, sameHistory && backlogHasIt ? wanted : null);
    this.replicas.add(link);
    return link;
  }

  #joined(link: Link, attempt: number): void {
    const engine = this.#engine;
    if (this.#link || attempt !== this.#attempt || engine.role !== 'replica') return;
    if (engine.primaryId !== link.primary.id || !link.primary.replication.replicas.has(link)) return;
    this.#link = link;
    const primary = link.primary.replication;
    if (link.resume) {
      this.#replId = primary.#replId;
      link.state = 'streaming';
      link.cursor = link.resume.writes;
      link.sentOffset = link.resume.offset;
      link.ackedOffset = link.resume.offset;
      primary.#pump(link);
      return;
    }
    this.#cached = false;
    link.state = 'copying';
    this.#copyFrom(link);
  }

  /** A full copy: into an empty node straight from the socket, bit by bit; else over a file, the old data kept till then. */
  #copyFrom(link: Link): void {
    const { around } = this.#engine;
    const { random, timeline } = around;
    const snapshot = link.primary.replication.copy();
    const straight = this.log.length === 0;
    link.straight = straight;
    const durationMs = random.chance(0.1) ? random.between(500, 3_000) : random.between(10, 120);
    const whileOpen = (delayMs: number, run: () => void): void => {
      timeline.after(delayMs, () =>
        this.#engine.receive(() => {
          if (link.state !== 'closed' && this.#link === link) run();
        }),
      );
    };
    if (straight)
      whileOpen(durationMs / 2, () => {
        this.log = snapshot.log.slice(0, snapshot.log.length / 2);
      });
    whileOpen(durationMs, () => {
      if (!this.#hears(link)) {
        this.#lost(link);
        return;
      }
      link.state = 'loading';
      this.#loading = snapshot.log;
      this.#makeRoom(straight ? [] : this.log);
      if (!straight) this.storage.putSnapshot(snapshot);
      whileOpen(straight ? 0 : random.between(5, 80), () => this.#copied(link, snapshot));
    });
  }

  #copied(link: Link, { log, replId, offset }: Copy): void {
    const { around } = this.#engine;
    this.log = [...log];
    this.#loading = null;
    this.offset = offset;
    this.histlen = 0;
    this.#replId = replId;
    link.state = 'quiet';
    link.cursor = log.length;
    link.sentOffset = offset;
    link.ackedOffset = around.random.chance(0.5) ? offset : 0;
    this.storage.rewriteLog();
    if (link.broken) {
      this.#lost(link);
      return;
    }
    around.timeline.after(around.random.between(5, TICK_MS), () => {
      if (link.state !== 'quiet') return;
      link.state = 'streaming';
      link.primary.replication.#pump(link);
    });
  }

  /** The old data makes way; the log file keeps it until it is rewritten. */
  #makeRoom(old: number[]): void {
    this.storage.makeRoom(old);
    this.log = [];
    this.#engine.dropped(old, 'a full copy took its place');
  }

  /** Sends what was not sent yet. */
  #pump(link: Link): void {
    if (link.state !== 'streaming' || link.sentOffset === this.offset) return;
    const { log, offset } = this;
    const until = log.length;
    link.sentOffset = offset;
    this.#stream(link, () => link.replica.replication.#apply(link, log, until, offset));
  }

  #apply(link: Link, log: readonly number[], until: number, offset: number): void {
    if (this.#link !== link) return;
    if (this.log.length === 0) this.emptyUntil = this.#engine.now;
    for (let at = link.cursor; at < until; at += 1) this.log.push(log[at]!);
    this.histlen += Math.max(0, offset - this.offset);
    this.offset = offset;
    link.cursor = until;
    this.storage.grew();
    link.primary.replicated();
  }

  #ack(): void {
    const link = this.#link;
    if (!link || !this.linkUp) return;
    const offset = this.offset;
    this.#engine.around.network.send(...this.#way(link.replica, link.primary), () => {
      link.primary.receive(() => {
        link.ackedOffset = Math.max(link.ackedOffset, offset);
        link.ackAt = link.primary.now;
      });
    });
  }

  /** The connection is over, in the replica's eyes. */
  #lost(link: Link): void {
    if (this.#link !== link) return;
    if (link.state === 'loading') {
      link.broken = true;
      return;
    }
    this.#close();
    if (this.#engine.alive && !this.#engine.isStalled) this.#connect();
  }

  #close(): void {
    const link = this.#link;
    if (!link) return;
    const wasUp = this.linkUp;
    this.wasInStream = link.state === 'streaming';
    if (link.state === 'copying' && link.straight) this.log = [];
    link.state = 'closed';
    this.#link = null;
    link.primary.replication.replicas.delete(link);
    const unread = this.#loading;
    this.#loading = null;
    if (unread) this.#engine.dropped(unread, 'what it was being read from was left');
    if (!wasUp) return;
    this.#cached = true;
    this.#downSince = this.#engine.now;
  }

  #hears(link: Link): boolean {
    return this.#engine.around.network.isOpen(...this.#way(link.primary, link.replica));
  }

  #stream(link: Link, deliver: () => void): void {
    this.#engine.around.network.stream(...this.#way(link.primary, link.replica), () => link.replica.receive(deliver));
  }

  #way(from: ReplicatingProcess, to: ReplicatingProcess): [string, string] {
    return [nodesOf(from.identity.machine), nodesOf(to.identity.machine)];
  }
}
