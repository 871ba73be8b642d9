/**
 * Lets the nodes of this machine save snapshots and write their logs anew one at a time, when it is due and memory is free
 * for it (src/plan/forks.ts). Their engines do neither by themselves: see src/plan/settings.ts.
 */
import type { NodeId } from '../domain/ids.ts';
import { type Fork, type ForkFacts, nextFork } from '../plan/forks.ts';
import { keepsSnapshots, logsEveryWrite } from '../plan/settings.ts';
import type { Logger } from '../platform/log.ts';
import { ReplyError } from '../resp/reply.ts';
import type { NodeConnection } from '../valkey/connection.ts';
import { numberField, parseInfo, textField } from '../valkey/info.ts';
import type { SupervisedNode } from './supervised-node.ts';

const LOOK_MS = 1_000;
/** A node that does not answer by then says nothing this time. */
const ANSWER_MS = 5_000;
const QUESTION = ['INFO', 'persistence', 'memory'] as const;
const COMMANDS: Record<Fork['kind'], string> = { snapshot: 'BGSAVE', rewrite: 'BGREWRITEAOF' };

export interface ForkKeeperOptions {
  /** The nodes of the machine at that moment. */
  nodes: () => Iterable<SupervisedNode>;
  /** What is told of a node has changed. */
  changed: (node: SupervisedNode) => void;
  /** Memory that processes may still take, in bytes. */
  availableBytes?: () => number;
  log: Logger;
}

interface Line {
  connection: NodeConnection;
  pid: number;
}

export class ForkKeeper {
  readonly #options: ForkKeeperOptions;
  readonly #lines = new Map<NodeId, Line>();
  readonly #triedAt = new Map<NodeId, number>();
  readonly #timer: NodeJS.Timeout;
  #looking = false;

  constructor(options: ForkKeeperOptions) {
    this.#options = options;
    this.#timer = setInterval(() => void this.look(), LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const { connection } of this.#lines.values()) connection.close();
    this.#lines.clear();
  }

  /** Asks all, and begins what is due. */
  async look(): Promise<void> {
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
    const { nodes, availableBytes = () => process.availableMemory() } = this.#options;
    const present = [...nodes()];
    this.#forgetOthers(present);
    const facts = (await Promise.all(present.map((node) => this.#ask(node)))).filter((one) => one !== null);
    const { fork, postponed } = nextFork(facts, availableBytes(), this.#triedAt, performance.now());
    for (const node of present) {
      const put = postponed.find((one) => one.node === node.id);
      const due = put ? { postponed: { kind: put.kind, neededBytes: put.neededBytes } } : {};
      if (node.due.postponed?.kind === put?.kind) continue; // how much it takes may change all the time
      node.due = due;
      this.#options.changed(node);
    }
    if (fork) await this.#begin(fork);
  }

  async #begin({ node, kind }: Fork): Promise<void> {
    this.#triedAt.set(node, performance.now());
    const [answer] = await this.#lines.get(node)!.connection.pipeline([[COMMANDS[kind]]]);
    // Somebody else was faster: a copy that is made of it, or a person.
    if (answer instanceof ReplyError) this.#options.log.info({ node, kind, answer: answer.message }, 'Not begun.');
  }

  /** Null where it cannot say: it does not run, it loads, it does not answer. */
  async #ask(node: SupervisedNode): Promise<ForkFacts | null> {
    const line = this.#lineTo(node);
    if (line === null) return null;
    try {
      const [answer] = await line.pipeline([QUESTION]);
      return answer instanceof ReplyError ? null : factsOf(node, String(answer));
    } catch {
      return null; // the pulse looks after nodes that do not answer
    }
  }

  #lineTo(node: SupervisedNode): NodeConnection | null {
    const { id, pid } = node;
    const line = this.#lines.get(id);
    if (line && line.pid === pid) return line.connection;
    line?.connection.close();
    this.#lines.delete(id);
    if (pid === null) return null;
    const connection = node.connect({ commandTimeoutMs: ANSWER_MS });
    this.#lines.set(id, { connection, pid });
    return connection;
  }

  #forgetOthers(present: readonly SupervisedNode[]): void {
    const ids = new Set(present.map(({ id }) => id));
    for (const [id, { connection }] of this.#lines) {
      if (ids.has(id)) continue;
      connection.close();
      this.#lines.delete(id);
      this.#triedAt.delete(id);
    }
  }
}

/** What a node says of its files and its memory. @param text of INFO persistence and memory */
function factsOf(node: SupervisedNode, text: string): ForkFacts | null {
  const info = parseInfo(text);
  if (numberField(info, 'loading') === 1) return null;
  const { settings } = node.report().disk;
  const isOn = (name: string): boolean => info.has(name) && numberField(info, name) === 1;
  const numberOf = (name: string): number => (info.has(name) ? numberField(info, name) : 0);
  return {
    node: node.id,
    keepsSnapshots: keepsSnapshots(settings),
    keepsLog: logsEveryWrite(settings) && isOn('aof_enabled'),
    forks: isOn('rdb_bgsave_in_progress') || isOn('aof_rewrite_in_progress') || numberOf('current_fork_perc') > 0,
    changes: numberField(info, 'rdb_changes_since_last_save'),
    savedSecondsAgo: Math.max(0, Date.now() / 1_000 - numberField(info, 'rdb_last_save_time')),
    saveFailed: textField(info, 'rdb_last_bgsave_status') === 'err',
    rewriteFailed: textField(info, 'aof_last_bgrewrite_status') === 'err',
    logBytes: numberOf('aof_current_size'),
    logBaseBytes: numberOf('aof_base_size'),
    usedBytes: numberField(info, 'used_memory'),
  };
}
