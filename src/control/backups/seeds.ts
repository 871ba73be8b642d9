/** Sends nodes the data with which they are to begin, piece by piece, to their agents. */
import type { Database, NodeAssignment } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import type { Seed } from '../../domain/restore.ts';
import type { SeedFile } from '../../protocol/agent-messages.ts';
import type { Agents } from '../agents.ts';
import { openArchiveSeed } from '../archives/source.ts';
import { openSeed } from './restore-source.ts';

/** Of one piece, before it becomes text: a third more then, and below what agents take in one message. */
const PIECE_BYTES = 1024 ** 2;
/** The last is answered when all of it is on disk. */
const PIECE_TIMEOUT_MS = 60_000;
/** An engine loads data and log, and saves. */
const REPLAY_TIMEOUT_MS = 3_600_000;

export interface SeedSurroundings {
  agents: Agents;
  /** The record as it is now; undefined when it is gone. */
  find: (name: string) => Database | undefined;
  /** See `Library`. */
  keys: readonly Buffer[];
}

export class Seeds {
  readonly #around: SeedSurroundings;
  #closed = false;

  constructor(around: SeedSurroundings) {
    this.#around = around;
  }

  /** What is on its way is given up; it begins anew with the next control plane. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Resolves when the agent has all of it.
   * @throws stopping, agent_away, agent_timeout, seed_not_taken, being_deleted, and what reading the backup throws
   */
  async deliver(database: Database, node: NodeAssignment): Promise<void> {
    const { agents, keys } = this.#around;
    const restore = database.restore!;
    const seed = restore.seeds[node.id]!;
    if (restore.kind !== 'archive') return this.#send(database, node, 'rdb', seed, await openSeed(restore, seed, keys));
    const { rdb, log } = await openArchiveSeed(restore, seed, keys);
    await this.#send(database, node, 'rdb', seed, rdb);
    if (!seed.log) return;
    await this.#send(database, node, 'log', seed.log, log);
    await agents.request(node.machine, 'replay_seed', { id: node.id }, REPLAY_TIMEOUT_MS);
  }

  async #send(
    { name, uid }: Database,
    node: NodeAssignment,
    what: SeedFile,
    { bytes, sha256 }: Pick<Seed, 'bytes' | 'sha256'>,
    content: AsyncIterable<Uint8Array>,
  ): Promise<void> {
    const { agents, find } = this.#around;
    let offset = 0;
    const send = async (data: Buffer, isLast: boolean): Promise<void> => {
      if (this.#closed) throw new ValkeeperError('stopping');
      const present = find(name);
      if (present?.uid !== uid || present.deleting) throw new ValkeeperError('being_deleted', { name });
      const end = isLast ? { bytes, sha256 } : null;
      const piece = { id: node.id, what, offset, data: data.toString('base64'), end };
      await agents.request(node.machine, 'seed_node', piece, PIECE_TIMEOUT_MS);
      offset += data.length;
    };
    let waiting: Uint8Array[] = [];
    let waitingBytes = 0;
    for await (const chunk of content) {
      waiting.push(chunk);
      waitingBytes += chunk.length;
      if (waitingBytes <= PIECE_BYTES) continue;
      const all = Buffer.concat(waiting);
      let from = 0;
      for (; all.length - from > PIECE_BYTES; from += PIECE_BYTES) {
        await send(all.subarray(from, from + PIECE_BYTES), false);
      }
      waiting = [all.subarray(from)];
      waitingBytes = all.length - from;
    }
    await send(Buffer.concat(waiting), true);
  }
}
