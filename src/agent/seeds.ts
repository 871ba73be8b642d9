/**
 * Data with which nodes are to begin: RDB files that the control plane sends in pieces, in order, before it asks for the
 * node. Only one that is whole is ever taken; what an agent of before left is of no use, and removed.
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { fileError } from '../platform/files.ts';
import type { AgentRequests } from '../protocol/agent-messages.ts';

const FOLDER = 'seeds';

interface Coming {
  file: FileHandle;
  bytes: number;
  hash: Hash;
}

export class Seeds {
  readonly #folder: string;
  readonly #machine: string;
  readonly #coming = new Map<NodeId, Coming>();

  /** @param dir of the machine */
  constructor(dir: string, machine: string) {
    this.#folder = join(dir, FOLDER);
    this.#machine = machine;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The next piece; the first begins anew. @throws seed_not_taken, file_unusable */
  async add({ id, offset, data, end }: AgentRequests['seed_node']['args']): Promise<{ bytes: number }> {
    const piece = Buffer.from(data, 'base64');
    try {
      const coming = offset === 0 ? await this.#begin(id) : this.#coming.get(id);
      if (coming?.bytes !== offset)
        throw this.#refusal(id, `its piece ${offset} came where ${coming?.bytes ?? 0} was next`);
      await coming.file.write(piece, 0, piece.length, offset);
      coming.hash.update(piece);
      coming.bytes += piece.length;
      if (end) await this.#finish(id, coming, end);
      return { bytes: coming.bytes };
    } catch (error) {
      await this.#drop(id);
      throw error instanceof ValkeeperError ? error : fileError('write', this.#pathOf(id), error);
    }
  }

  /** Where the whole file of this node lies; whoever takes it moves it away. @throws seed_not_taken when there is none */
  take(id: NodeId): string {
    const path = this.#pathOf(id);
    if (!existsSync(path)) throw this.#refusal(id, 'it has not come');
    return path;
  }

  /** What came for it is of no use any more. */
  async forget(id: NodeId): Promise<void> {
    await this.#drop(id);
    rmSync(this.#pathOf(id), { force: true });
  }

  async #begin(id: NodeId): Promise<Coming> {
    await this.forget(id);
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const coming = { file: await open(this.#draftOf(id), 'w', 0o600), bytes: 0, hash: createHash('sha256') };
    this.#coming.set(id, coming);
    return coming;
  }

  async #finish(id: NodeId, { file, bytes, hash }: Coming, end: { bytes: number; sha256: string }): Promise<void> {
    if (bytes !== end.bytes || hash.digest('hex') !== end.sha256) {
      throw this.#refusal(id, `${bytes} bytes came, and they are not the ${end.bytes} that were meant`);
    }
    await file.sync();
    await this.#close(id);
    renameSync(this.#draftOf(id), this.#pathOf(id));
  }

  async #close(id: NodeId): Promise<void> {
    const coming = this.#coming.get(id);
    this.#coming.delete(id);
    await coming?.file.close();
  }

  async #drop(id: NodeId): Promise<void> {
    await this.#close(id);
    rmSync(this.#draftOf(id), { force: true });
  }

  readonly #pathOf = (id: NodeId): string => join(this.#folder, `${id}.rdb`);
  readonly #draftOf = (id: NodeId): string => join(this.#folder, `${id}.part`);

  #refusal(node: NodeId, reason: string): ValkeeperError {
    return new ValkeeperError('seed_not_taken', { node, machine: this.#machine, reason });
  }
}
