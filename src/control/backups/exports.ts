/** The data of one shard for somebody who takes it as it comes; nothing of it is kept here. */
import { type Database, shardNames } from '../../domain/database.ts';
import { ValkeeperError } from '../../domain/errors.ts';
import { shardTopology } from '../../plan/topology.ts';
import type { Logger } from '../../platform/log.ts';
import { EngineReplyError, EngineUnreachable } from '../../valkey/engine-errors.ts';
import type { Databases } from '../databases.ts';
import { type StreamSurroundings, withShardStream } from './shard-stream.ts';

export interface ExportSurroundings extends StreamSurroundings {
  databases: Databases;
  log: Logger;
  /** @throws stopping while the fleet stops */
  requireRunning: () => void;
}

/** A shard's RDB, and where and when it is of. */
export interface ShardRdb {
  node: string;
  machine: string;
  role: 'primary' | 'replica';
  /** Milliseconds since the epoch. */
  forkedAt: number;
  /** They throw where the end does not come. */
  bytes: AsyncIterable<Buffer>;
}

export class Exports {
  readonly #around: ExportSurroundings;
  readonly #closing = new AbortController();

  constructor(around: ExportSurroundings) {
    this.#around = around;
  }

  /** Those under way are cut off. */
  close(): void {
    this.#closing.abort(new ValkeeperError('stopping'));
  }

  /**
   * Has the shard's data taken, in a turn of its machine, as backups are. Once that has begun nothing is thrown: whoever
   * takes it sees that the end is missing.
   * @param left aborted when nobody takes it any more
   * @throws database_not_found, shard_not_found, being_deleted, restore_running, export_refused, export_failed, stopping
   */
  async give(name: string, shard: string, left: AbortSignal, take: (rdb: ShardRdb) => Promise<void>): Promise<void> {
    const database = this.#find(name, shard);
    const refusal = (reason: string) => new ValkeeperError('export_refused', { name, shard, reason });
    const { owner, slots } = shardTopology(database, await this.#around.observe(database), shard);
    if (!owner?.engine || slots.length === 0) throw refusal('it is not served');
    const signal = AbortSignal.any([left, this.#closing.signal]);
    try {
      await withShardStream(this.#around, database, shard, { signal, refusal }, async ({ source, stream }) => {
        const { id, machine } = source.node;
        await take({ node: id, machine, role: source.role, forkedAt: stream.forkedAt, bytes: stream.bytes }).catch(
          (error: unknown) => {
            if (!left.aborted) this.#around.log.warn({ err: error, database: name, shard }, 'An export was cut off.');
          },
        );
      });
    } catch (error) {
      const isOfNode = error instanceof EngineUnreachable || error instanceof EngineReplyError;
      throw isOfNode ? new ValkeeperError('export_failed', { name, shard, reason: error.message }) : error;
    }
  }

  #find(name: string, shard: string): Database {
    const { databases, requireRunning } = this.#around;
    requireRunning();
    const database = databases.get(name);
    const shards = shardNames(database);
    if (!shards.includes(shard))
      throw new ValkeeperError('shard_not_found', { name, shard, shards: shards.join(', ') });
    if (database.deleting) throw new ValkeeperError('being_deleted', { name });
    if (database.restore) throw new ValkeeperError('restore_running', { name });
    const moving = 'its slots are on their way to other shards';
    if (database.reshard) throw new ValkeeperError('export_refused', { name, shard, reason: moving });
    return database;
  }
}
