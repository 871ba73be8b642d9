/**
 * The append-only logs of this machine's nodes, for an archive. The engine removes files of a log when it has written it
 * anew; what is asked for here is kept until it was fetched: each file gets a second name (a hard link) in a folder beside.
 * Nothing is copied, and nothing is kept for long when nobody asks any more, or when the disk is about to be full: nodes
 * need it more than archives do.
 */
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { isFilling } from '../domain/view.ts';
import { fileError } from '../platform/files.ts';
import type { AgentRequests, AppendLogFile } from '../protocol/agent-messages.ts';
import { LOG_FOLDER } from './data-damage.ts';
import { bootId } from './find-process.ts';
import type { SupervisedNode } from './supervised-node.ts';

const FOLDER = 'kept-log';
const MANIFEST = 'appendonly.aof.manifest';
const LINE = /^file (\S+) seq (\d+) type ([bi])\b/;
const FILE = /^appendonly\.aof\.(\d+)\.(base|incr)\.(?:rdb|aof)$/;
/** Of one answer, before it becomes text. */
const PIECE_BYTES = 1024 ** 2;
/** Who asked not for so long asks no more. */
const KEEP_MS = 30 * 60_000;
/** The engine may put another file in the place of one between two looks. */
const TRIES = 3;

type List = AgentRequests['list_append_log'];
type Read = AgentRequests['read_append_log'];

/** Of a manifest of the engine. */
interface ManifestFile {
  name: string;
  seq: number;
  type: 'base' | 'incr';
}

export class KeptLogs {
  readonly #machine: string;
  readonly #find: (id: NodeId) => SupervisedNode | undefined;
  readonly #isFilling: (folder: string) => boolean;
  /** When each node's log was asked for last, in milliseconds since the epoch. */
  readonly #askedAt = new Map<NodeId, number>();

  /** @param isFilling whether the disk of a folder is about to be full; a test has another */
  constructor(
    machine: string,
    find: (id: NodeId) => SupervisedNode | undefined,
    isFilling: (folder: string) => boolean = isDiskFilling,
  ) {
    this.#isFilling = isFilling;
    this.#machine = machine;
    this.#find = find;
  }

  /**
   * The files of the node's log now, and what was kept of before; from `from` on, what comes before it is let go.
   * @throws node_not_found, append_log_unusable
   */
  async list({ id, from, isLong }: List['args']): Promise<List['result']> {
    const node = this.#node(id);
    const { process } = node;
    if (!process) throw this.#unusable(id, 'it does not run');
    this.#askedAt.set(id, Date.now());
    node.fork = { ...node.fork, isLogLong: isLong };
    const folder = join(node.directory.path, LOG_FOLDER);
    const kept = join(node.directory.path, FOLDER);
    for (let tries = 1; ; tries += 1) {
      try {
        mkdirSync(kept, { recursive: true, mode: 0o700 });
        const now = manifestFiles(folder);
        if (!now) throw this.#unusable(id, 'it has no append-only log');
        for (const { name } of now) keep(join(folder, name), join(kept, name));
        letGo(kept, now, this.#isFilling(kept) ? Number.POSITIVE_INFINITY : from);
        // Before their sizes are looked at: what was done by then is within these.
        const at = Date.now();
        return {
          pid: process.pid,
          life: `${bootId()}-${process.pid}-${process.startTime}`,
          at,
          files: filesIn(kept, now),
        };
      } catch (error) {
        const isGone = (error as NodeJS.ErrnoException).code === 'ENOENT';
        if (isGone && tries < TRIES) continue;
        throw error instanceof ValkeeperError ? error : fileError('read', folder, error);
      }
    }
  }

  /** A piece of a file that was listed; shorter at its end. @throws node_not_found, append_log_unusable */
  async read({ id, file, offset }: Read['args']): Promise<Read['result']> {
    const path = join(this.#node(id).directory.path, FOLDER, file);
    this.#askedAt.set(id, Date.now());
    if (!FILE.test(file) || !existsSync(path)) throw this.#unusable(id, `${file} is not kept any more`);
    try {
      const handle = await open(path, 'r');
      try {
        const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(PIECE_BYTES), 0, PIECE_BYTES, offset);
        return { data: buffer.toString('base64', 0, bytesRead) };
      } finally {
        await handle.close();
      }
    } catch (error) {
      throw fileError('read', path, error);
    }
  }

  /** Nothing of the node's log is kept any more. */
  drop(id: NodeId): Record<string, never> {
    const node = this.#find(id);
    if (node) rmSync(join(node.directory.path, FOLDER), { recursive: true, force: true });
    this.#askedAt.delete(id);
    return {};
  }

  /** Lets go of what nobody has asked for in a long time. @param nodes all of the machine */
  tend(nodes: Iterable<SupervisedNode>): void {
    const now = Date.now();
    for (const { id, directory } of nodes) {
      const askedAt = this.#askedAt.get(id);
      // Kept for an agent of before: it may be asked for again.
      if (askedAt === undefined && existsSync(join(directory.path, FOLDER))) this.#askedAt.set(id, now);
      else if (askedAt !== undefined && now - askedAt > KEEP_MS) this.drop(id);
    }
  }

  #node(id: NodeId): SupervisedNode {
    const node = this.#find(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.#machine });
    return node;
  }

  #unusable(node: NodeId, reason: string): ValkeeperError {
    return new ValkeeperError('append_log_unusable', { node, machine: this.#machine, reason });
  }
}

/** As for new nodes: a disk with so little room gets none. */
function isDiskFilling(folder: string): boolean {
  const { bavail, blocks, bsize } = statfsSync(folder);
  return isFilling({ disk: { freeBytes: bavail * bsize, totalBytes: blocks * bsize } });
}

/** Those that the engine would load; null where there is no manifest. */
function manifestFiles(folder: string): ManifestFile[] | null {
  const path = join(folder, MANIFEST);
  if (!existsSync(path)) return null;
  return readFileSync(path, 'utf8')
    .split('\n')
    .flatMap((line): ManifestFile[] => {
      const [, name, seq, type] = LINE.exec(line) ?? [];
      return name && FILE.test(name) ? [{ name, seq: Number(seq), type: type === 'b' ? 'base' : 'incr' }] : [];
    });
}

/** Another file of this name, of a log that was begun anew, takes the place of what was kept. */
function keep(path: string, second: string): void {
  const present = statSync(second, { throwIfNoEntry: false });
  if (present?.ino === statSync(path).ino) return;
  rmSync(second, { force: true });
  linkSync(path, second);
}

/** What is not of the log now, and is before the piece that is wanted next. */
function letGo(kept: string, now: readonly ManifestFile[], from: number): void {
  const names = new Set(now.map(({ name }) => name));
  for (const name of readdirSync(kept)) {
    const [, seq, type] = FILE.exec(name) ?? [];
    if (names.has(name) || (type === 'incr' && Number(seq) >= from)) continue;
    rmSync(join(kept, name), { force: true });
  }
}

/** In order: the base, then what was written after it, and before it what is kept of before. */
function filesIn(kept: string, now: readonly ManifestFile[]): AppendLogFile[] {
  const present = new Set(now.map(({ name }) => name));
  return readdirSync(kept)
    .flatMap((name): AppendLogFile[] => {
      const [, seq, type] = FILE.exec(name) ?? [];
      if (type !== 'base' && type !== 'incr') return [];
      const bytes = statSync(join(kept, name)).size;
      return [{ name, type, seq: Number(seq), bytes, isPresent: present.has(name) }];
    })
    .sort((a, b) => a.seq - b.seq);
}
