/**
 * Blobs as files of a folder. A put writes a file beside its target, flushes it, and renames it: a rename replaces as a
 * whole. The temporary file's name has a ~, which no blob's name has: so it is no blob, whenever its writer dies.
 */
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { reasonOf, syncFolder } from '../platform/files.ts';
import { makeFolders } from '../platform/folders.ts';
import type { Blob, BlobStore } from './blob-store.ts';
import { untilAborted } from './content.ts';
import { checkName, checkPrefix, compareNames, nameProblem } from './names.ts';

const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const CHUNK_BYTES = 256 * 1024;
const TEMPORARY = /~[0-9a-f-]{36}$/;
/** How often the folder of a new blob is made, if others who remove the last blob of it remove it each time. */
const MAKE_TRIES = 100;

const never = new AbortController().signal;

/** Opens the folder; it is made with the first blob. @param root an absolute path */
export const openFolderStore = (root: string): BlobStore => new FolderStore(root);

class FolderStore implements BlobStore {
  readonly place: string;
  /** Temporary files of puts that are under way. */
  readonly #writing = new Set<string>();

  constructor(root: string) {
    this.place = root;
  }

  async put(name: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal = never): Promise<number> {
    checkName(name);
    const chunks = untilAborted(content, signal);
    const path = join(this.place, name);
    const temporary = `${path}~${randomUUID()}`;
    this.#writing.add(temporary);
    try {
      const { file, changed } = await this.#create(temporary);
      let bytes = 0;
      try {
        for await (const chunk of chunks) {
          await this.#done('write', path, file.writeFile(chunk));
          bytes += chunk.length;
        }
        await this.#done('write', path, file.sync());
      } finally {
        await file.close();
      }
      signal.throwIfAborted();
      await this.#done('write', path, rename(temporary, path));
      // Gone is a folder only if the blob was removed by now.
      for (const folder of [dirname(path), ...changed]) await this.#found('write', folder, syncFolder(folder));
      return bytes;
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
      throw error;
    } finally {
      this.#writing.delete(temporary);
    }
  }

  async get(name: string, signal: AbortSignal = never): Promise<AsyncIterable<Uint8Array>> {
    checkName(name);
    signal.throwIfAborted();
    const path = join(this.place, name);
    const found = await this.#found('read', path, stat(path));
    if (found === null || !found.isFile()) throw this.#missing(name);
    return this.#read(name, path, signal);
  }

  async list(prefix: string): Promise<Blob[]> {
    checkPrefix(prefix);
    const blobs: Blob[] = [];
    for await (const name of this.#files(prefix.slice(0, prefix.lastIndexOf('/') + 1))) {
      if (!name.startsWith(prefix) || nameProblem(name) !== null) continue;
      const path = join(this.place, name);
      const found = await this.#found('read', path, stat(path));
      if (found !== null) blobs.push({ name, bytes: found.size, modifiedAt: Math.floor(found.mtimeMs) });
    }
    return blobs.sort(compareNames);
  }

  async remove(name: string): Promise<void> {
    checkName(name);
    const path = join(this.place, name);
    const removed = await this.#found('remove', path, unlink(path));
    if (removed === null) return;
    await this.#found('write', dirname(path), syncFolder(dirname(path)));
    // Folders that are left empty go too, up to the first that is not: rmdir takes no other.
    for (let at = dirname(path); at !== this.place; at = dirname(at)) {
      if (!(await rmdir(at).then(yes, no))) break;
    }
  }

  async sweep(olderThanMs: number): Promise<number> {
    const latest = Date.now() - olderThanMs;
    let swept = 0;
    for await (const name of this.#files('')) {
      const path = join(this.place, name);
      if (!TEMPORARY.test(name) || this.#writing.has(path)) continue;
      const found = await this.#found('read', path, stat(path));
      if (found === null || found.mtimeMs > latest) continue;
      if ((await this.#found('remove', path, unlink(path))) !== null) swept += 1;
    }
    return swept;
  }

  /** Makes the temporary file and the folders that are missing above it; `changed` are those to be flushed for that. */
  async #create(temporary: string): Promise<{ file: FileHandle; changed: Set<string> }> {
    const folder = dirname(temporary);
    const changed = new Set<string>();
    for (let tries = 1; ; tries++) {
      try {
        for (let at = folder; !existsSync(at); at = dirname(at)) changed.add(dirname(at));
        makeFolders(folder, FOLDER_MODE);
        return { file: await open(temporary, 'wx', FILE_MODE), changed };
      } catch (error) {
        if (codeOf(error) !== 'ENOENT' || tries === MAKE_TRIES) throw this.#unusable('write', temporary, error);
      }
    }
  }

  async *#read(name: string, path: string, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const file = await this.#found('read', path, open(path, 'r'));
    if (file === null) throw this.#missing(name);
    try {
      for (;;) {
        signal.throwIfAborted();
        const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES); // its reader may keep it
        const { bytesRead } = await this.#done('read', path, file.read(buffer, 0, CHUNK_BYTES));
        if (bytesRead === 0) return;
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  }

  /** The names of all files in a folder of ours (`a/b/`, or '' for all), in no order. */
  async *#files(within: string): AsyncGenerator<string> {
    const path = join(this.place, within);
    if (within !== '' && (await this.#found('read', path, stat(path)))?.isDirectory() !== true) return;
    for (const entry of (await this.#found('read', path, readdir(path, { withFileTypes: true }))) ?? []) {
      if (entry.isDirectory()) yield* this.#files(`${within}${entry.name}/`);
      else if (entry.isFile()) yield `${within}${entry.name}`;
    }
  }

  /** What came of an operation; null where there is no such file. */
  async #found<T>(verb: Verb, path: string, operation: Promise<T>): Promise<T | null> {
    try {
      return await operation;
    } catch (error) {
      const isRoot = path === this.place; // a file in its place is an error, a file in the place of a name's folder none
      if (codeOf(error) === 'ENOENT' || (codeOf(error) === 'ENOTDIR' && !isRoot)) return null;
      throw this.#unusable(verb, path, error);
    }
  }

  async #done<T>(verb: Verb, path: string, operation: Promise<T>): Promise<T> {
    try {
      return await operation;
    } catch (error) {
      throw this.#unusable(verb, path, error);
    }
  }

  #missing(name: string): ValkeeperError {
    return new ValkeeperError('blob_missing', { name, place: this.place });
  }

  #unusable(verb: Verb, path: string, cause: unknown): ValkeeperError {
    const problem = `cannot ${verb} ${path.replace(TEMPORARY, '')}: ${reasonOf(cause)}`;
    const remedy = remedyFor(codeOf(cause), this.place);
    return new ValkeeperError('backup_store_unusable', { place: this.place, problem, remedy }, { cause });
  }
}

type Verb = 'read' | 'write' | 'remove';

const yes = (): boolean => true;
const no = (): boolean => false;
const codeOf = (error: unknown): string => (error as NodeJS.ErrnoException).code ?? '';

function remedyFor(code: string, place: string): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return `Free space there (\`df -h ${place}\`): remove old backups, or choose a larger place.`;
    case 'EACCES':
    case 'EPERM':
      return `Let the user with the id ${process.geteuid?.()} write there (\`ls -ld ${place}\`), or choose another place.`;
    case 'EROFS':
      return 'Mount it for writing, or choose another place.';
    case 'ENOTDIR':
    case 'EEXIST':
    case 'EISDIR':
      return `Something else lies in the way: move it (\`ls -la ${place}\`), or choose another place.`;
    default:
      return `Look at \`ls -la ${place}\`, \`df -h ${place}\` and \`dmesg\`, or choose another place.`;
  }
}
