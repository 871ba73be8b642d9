/**
 * Lets the nodes of this machine save snapshots and write their logs anew one at a time, when it is due and memory is free
 * for it (src/plan/forks.ts). Their engines do neither by themselves: see src/plan/settings.ts.
 */
import type { NodeId } from '../domain/ids.ts';
import type { Reshard } from '../domain/reshard.ts';
import type { GuardedDatabase } from '../domain/roster.ts';
import type { PostponedFork } from '../domain/view.ts';
import {
  type Fork,
  type ForkFacts,
  type ForkRoom,
  isMovingSlots,
  isPostponed,
  neededForJob,
  nextFork,
  type Try,
  type WaitingFork,
} from '../plan/forks.ts';
import { keepsSnapshots, logsEveryWrite } from '../plan/settings.ts';
import type { Logger } from '../platform/log.ts';
import { availableMemory } from '../platform/memory.ts';
import { ReplyError } from '../resp/reply.ts';
import { EngineReplyError, type NodeConnection } from '../valkey/connection.ts';
import { type InfoFields, numberField, parseInfo, textField } from '../valkey/info.ts';
import type { SupervisedNode } from './supervised-node.ts';

const LOOK_MS = 1_000;
/** A node that does not answer by then says nothing this time. */
const ANSWER_MS = 5_000;
/** Figures of what waits are told anew. */
const TELL_MS = 60_000;
const QUESTION = ['INFO', 'persistence', 'memory'] as const;
const COMMANDS: Record<Fork['kind'], string> = { snapshot: 'BGSAVE', rewrite: 'BGREWRITEAOF' };
/** Children that a node may have: one at a time, for itself, for a replica or a backup, or for slots on their way. */
const CHILDREN = [
  'rdb_bgsave_in_progress',
  'aof_rewrite_in_progress',
  'slot_migration_fork_in_progress',
  'module_fork_in_progress',
  // It begins by itself as soon as it can.
  'aof_rewrite_scheduled',
] as const;

/** What it takes from the machine; a test has others. */
export interface ForkPorts {
  /** Memory that processes may still take, in bytes. */
  availableBytes: () => number;
  /** The time by which engines tell when they saved: milliseconds since the epoch. */
  wallNow: () => number;
}

export interface ForkKeeperOptions extends Partial<ForkPorts> {
  /** The nodes of the machine at that moment. */
  nodes: () => Iterable<SupervisedNode>;
  /** Databases of the fleet, as far as this machine was told of them. */
  databases: () => readonly GuardedDatabase[];
  /** What is told of a node has changed. */
  changed: (node: SupervisedNode) => void;
  log: Logger;
}

/** What is kept of a node while it is here. */
class Watched {
  connection: NodeConnection | null = null;
  /** The process that it leads to. */
  pid: number | null = null;
  /** What that process said last. */
  facts: ForkFacts | null = null;
  /** It answered the last question. */
  isHeard = false;
  waitsSince: number | null = null;
  toldAt = 0;

  /** Its process is another now, or none. */
  begin(pid: number | null): void {
    this.connection?.close();
    this.connection = null;
    this.facts = null;
    this.isHeard = false;
    this.waitsSince = null;
    this.pid = pid;
  }
}

export class ForkKeeper {
  readonly #options: ForkKeeperOptions;
  readonly #ports: ForkPorts;
  readonly #watched = new Map<NodeId, Watched>();
  readonly #tries = new Map<NodeId, Try>();
  readonly #timer: NodeJS.Timeout;
  #looking = false;

  constructor(options: ForkKeeperOptions) {
    this.#options = options;
    const { availableBytes = availableMemory, wallNow = Date.now } = options;
    this.#ports = { availableBytes: () => availableBytes(), wallNow };
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const watched of this.#watched.values()) watched.begin(null);
    this.#watched.clear();
  }

  /** By what the node said last; null when it said nothing yet. */
  room(id: NodeId): ForkRoom | null {
    const facts = this.#watched.get(id)?.facts;
    return facts ? { neededBytes: neededForJob(facts), availableBytes: this.#ports.availableBytes() } : null;
  }

  /** Asks all, and begins what is due. */
  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#lookOnce();
    } catch (error) {
      this.#options.log.error({ err: error }, 'Who is to save or to write its log anew was not found out.');
    } finally {
      this.#looking = false;
    }
  }

  async #lookOnce(): Promise<void> {
    const present = [...this.#options.nodes()];
    this.#forgetOthers(present);
    const facts = (await Promise.all(present.map((node) => this.#ask(node)))).filter((one) => one !== null);
    const availableBytes = this.#ports.availableBytes();
    const now = performance.now();
    const { fork, waiting } = nextFork(facts, availableBytes, this.#tries, now);
    const waits = new Map(waiting.map((one) => [one.node, one]));
    for (const node of present) this.#tell(node, waits.get(node.id), availableBytes, now);
    const chosen = fork && present.find(({ id }) => id === fork.node);
    if (chosen) await this.#begin(chosen, fork);
  }

  #tell(node: SupervisedNode, waiting: WaitingFork | undefined, availableBytes: number, now: number): void {
    const watched = this.#watched.get(node.id);
    if (!watched?.isHeard) return;
    watched.waitsSince = waiting ? (watched.waitsSince ?? now) : null;
    const told: { postponed?: PostponedFork } = {};
    if (waiting && isPostponed(waiting, now - (watched.waitsSince ?? now))) {
      const { kind, reason, neededBytes } = waiting;
      told.postponed = { kind, reason, neededBytes, availableBytes };
    }
    const before = node.fork.told.postponed;
    const isSame = before?.kind === told.postponed?.kind && before?.reason === told.postponed?.reason;
    if (isSame && (!told.postponed || now - watched.toldAt < TELL_MS)) return;
    watched.toldAt = now;
    node.fork = { ...node.fork, told };
    this.#options.changed(node);
  }

  async #begin(node: SupervisedNode, { kind, count }: Fork): Promise<void> {
    const watched = this.#watched.get(node.id);
    if (!watched?.connection || !watched.facts) return;
    const attempt: Try = { at: performance.now(), count, isRefused: false };
    this.#tries.set(node.id, attempt);
    // Also when its answer does not come: it may well have begun.
    watched.facts = { ...watched.facts, forks: true };
    node.fork = { ...node.fork, ...(kind === 'snapshot' ? { isAsked: false } : { isLogLong: false }) };
    const { log } = this.#options;
    try {
      await watched.connection.command(COMMANDS[kind]);
      log.info({ node: node.id, kind }, 'A node saves.');
    } catch (error) {
      // Somebody else was faster, such as a replica that wants a copy; or it cannot; or its answer did not come.
      attempt.isRefused = error instanceof EngineReplyError;
      log.warn({ node: node.id, kind, reason: (error as Error).message }, 'A node did not begin to save.');
    }
  }

  /** What it says; or, of one that does not answer now, that its child may still be at work. */
  async #ask(node: SupervisedNode): Promise<ForkFacts | null> {
    const watched = this.#watched.get(node.id) ?? new Watched();
    this.#watched.set(node.id, watched);
    const { pid } = node;
    if (watched.pid !== pid) watched.begin(pid);
    if (pid === null) return null;
    watched.isHeard = false;
    try {
      watched.connection ??= node.connect({ commandTimeoutMs: ANSWER_MS });
      const [answer] = await watched.connection.pipeline([QUESTION]);
      if (!(answer instanceof ReplyError)) {
        const facts = factsOf(node, parseInfo(String(answer)), this.#ports.wallNow(), this.#reshardOf(node));
        if (node.pid !== pid) return null;
        watched.facts = facts;
        watched.isHeard = true;
        return facts;
      }
    } catch {
      // the pulse looks after nodes that do not answer
    }
    return watched.facts && { ...watched.facts, isAsked: false, keepsSnapshots: false, keepsLog: false };
  }

  #reshardOf({ id }: SupervisedNode): Reshard | null {
    return this.#options.databases().find(({ nodes }) => nodes.some((node) => node.id === id))?.reshard ?? null;
  }

  #forgetOthers(present: readonly SupervisedNode[]): void {
    const ids = new Set(present.map(({ id }) => id));
    for (const [id, watched] of this.#watched) {
      if (ids.has(id)) continue;
      watched.begin(null);
      this.#watched.delete(id);
      this.#tries.delete(id);
    }
  }
}

/** @param info its INFO persistence and memory */
function factsOf(node: SupervisedNode, info: InfoFields, wallNow: number, reshard: Reshard | null): ForkFacts {
  const { settings } = node.report().disk;
  const isLoading = numberField(info, 'loading') === 1;
  // Fields that not every version has, or only with a log.
  const numberOf = (name: string): number => (info.has(name) ? numberField(info, name) : 0);
  return {
    node: node.id,
    keepsSnapshots: !isLoading && keepsSnapshots(settings),
    keepsLog: !isLoading && logsEveryWrite(settings) && numberOf('aof_enabled') === 1,
    isAsked: !isLoading && node.fork.isAsked,
    slotsMove: isMovingSlots(reshard, wallNow),
    isLogLong: node.fork.isLogLong ?? false,
    forks: CHILDREN.some((name) => numberOf(name) === 1),
    changes: numberField(info, 'rdb_changes_since_last_save'),
    savedSecondsAgo: Math.max(0, wallNow / 1_000 - numberField(info, 'rdb_last_save_time')),
    saveFailed: textField(info, 'rdb_last_bgsave_status') !== 'ok',
    rewriteFailed: textField(info, 'aof_last_bgrewrite_status') !== 'ok',
    logBytes: numberOf('aof_current_size'),
    logBaseBytes: numberOf('aof_base_size'),
    usedBytes: numberField(info, 'used_memory'),
    saveCopiedBytes: numberOf('rdb_last_cow_size'),
    rewriteCopiedBytes: numberOf('aof_last_cow_size'),
  };
}
