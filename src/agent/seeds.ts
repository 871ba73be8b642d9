/**
 * Data with which nodes are to begin: RDB files that the control plane sends in pieces, in order, before it asks for the
 * node, and logs that go on from there. Only one that is whole is ever taken; what an agent of before left is of no use,
 * and removed.
 */
import { createHash, type Hash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import { fileError } from '../platform/files.ts';
import type { AgentRequests, SeedFile } from '../protocol/agent-messages.ts';
import { endReplay, replay } from './replay.ts';

const FOLDER = 'seeds';
const REPLAY = '.replay';
const KINDS: readonly SeedFile[] = ['rdb', 'log'];

interface Coming {
  file: FileHandle;
  bytes: number;
  hash: Hash;
}

export class Seeds {
  readonly #folder: string;
  readonly #machine: string;
  readonly #enginePath: string;
  /** By the path of the whole file. */
  readonly #coming = new Map<string, Coming>();

  /** @param dir of the machine */
  constructor(dir: string, machine: string, enginePath: string) {
    this.#folder = join(dir, FOLDER);
    this.#machine = machine;
    this.#enginePath = enginePath;
    const left = existsSync(this.#folder) ? readdirSync(this.#folder) : [];
    for (const name of left) if (name.endsWith(REPLAY)) endReplay(join(this.#folder, name));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The next piece; the first begins anew. @throws seed_not_taken, file_unusable */
  async add({ id, what, offset, data, end }: AgentRequests['seed_node']['args']): Promise<{ bytes: number }> {
    const piece = Buffer.from(data, 'base64');
    const path = this.#pathOf(id, what);
    try {
      const coming = offset === 0 ? await this.#begin(path) : this.#coming.get(path);
      if (coming?.bytes !== offset)
        throw this.#refusal(id, `its piece ${offset} came where ${coming?.bytes ?? 0} was next`);
      await coming.file.write(piece, 0, piece.length, offset);
      coming.hash.update(piece);
      coming.bytes += piece.length;
      if (end) await this.#finish(id, path, coming, end);
      return { bytes: coming.bytes };
    } catch (error) {
      await this.#drop(path);
      throw error instanceof ValkeeperError ? error : fileError('write', path, error);
    }
  }

  /** The data and the log that came become the data with which the node begins. @throws seed_not_taken */
  async replay(id: NodeId): Promise<{ bytes: number }> {
    const [rdb, log] = [this.take(id), this.#pathOf(id, 'log')];
    if (!existsSync(log)) throw this.#refusal(id, 'its log has not come');
    try {
      await replay(this.#enginePath, join(this.#folder, `${id}${REPLAY}`), rdb, log);
      return { bytes: statSync(rdb).size };
    } catch (error) {
      throw this.#refusal(id, error instanceof Error ? error.message : String(error));
    }
  }

  /** Where the whole file of this node lies; whoever takes it moves it away. @throws seed_not_taken when there is none */
  take(id: NodeId): string {
    const path = this.#pathOf(id, 'rdb');
    if (!existsSync(path)) throw this.#refusal(id, 'it has not come');
    return path;
  }

  /** What came for it is of no use any more. */
  async forget(id: NodeId): Promise<void> {
    for (const what of KINDS) {
      await this.#drop(this.#pathOf(id, what));
      rmSync(this.#pathOf(id, what), { force: true });
    }
  }

  async #begin(path: string): Promise<Coming> {
    await this.#drop(path);
    rmSync(path, { force: true });
    mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
    const coming = { file: await open(draftOf(path), 'w', 0o600), bytes: 0, hash: createHash('sha256') };
    this.#coming.set(path, coming);
    return coming;
  }

  async #finish(
    id: NodeId,
    path: string,
    { file, bytes, hash }: Coming,
    end: { bytes: number; sha256: string },
  ): Promise<void> {
    if (bytes !== end.bytes || hash.digest('hex') !== end.sha256) {
      throw this.#refusal(id, `${bytes} bytes came, and they are not the ${end.bytes} that were meant`);
    }
    await file.sync();
    await this.#close(path);
    renameSync(draftOf(path), path);
  }

  async #close(path: string): Promise<void> {
    const coming = this.#coming.get(path);
    this.#coming.delete(path);
    await coming?.file.close();
  }

  async #drop(path: string): Promise<void> {
    await this.#close(path);
    rmSync(draftOf(path), { force: true });
  }

  readonly #pathOf = (id: NodeId, what: SeedFile): string => join(this.#folder, `${id}.${what}`);

  #refusal(node: NodeId, reason: string): ValkeeperError {
    return new ValkeeperError('seed_not_taken', { node, machine: this.#machine, reason });
  }
}

const draftOf = (path: string): string => `${path}.part`;
