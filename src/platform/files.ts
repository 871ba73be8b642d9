/** Files that are either the old or the new, never half: what a crash or a full disk must not tear. */
import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';

const PROBLEMS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EFBIG: 'the file would grow beyond its limit',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'what should be its folder is a file',
  EISDIR: 'it is a folder',
  EMFILE: 'too many files are open in this process',
  EIO: 'the disk reports an input/output error',
};

/** Why an operation on files failed, in words. */
export const reasonOf = (cause: unknown): string =>
  PROBLEMS[(cause as NodeJS.ErrnoException).code ?? ''] ?? (cause instanceof Error ? cause.message : String(cause));

/** The error of a failed file operation, with the cause in words. */
export function fileError(verb: 'read' | 'write' | 'open', path: string, cause: unknown): ValkeeperError {
  const { code } = cause as NodeJS.ErrnoException;
  const isMissing = verb === 'read' && code === 'ENOENT'; // what is written is made, unless its folder is missing
  const problem = isMissing ? 'there is no such file' : reasonOf(cause);
  return new ValkeeperError('file_unusable', { verb, path, problem }, { cause });
}

/** Makes the names in a folder durable. @throws the system's error */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Replaces a file's content, or makes the file, so that after a crash at any moment it holds either the old content
 * or all of the new; durable when it resolves. If it fails, the old content stays and nothing is left behind.
 * @throws file_unusable
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  const temporary = join(folder, `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.chmod(mode); // open() subtracts the umask
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder); // the new name is durable only with its folder
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to tell
    throw fileError('write', path, error);
  }
}

/**
 * The parsed content of a JSON file, or undefined when there is none. The caller checks its shape.
 * @throws file_unusable, file_damaged
 */
export async function readJson(path: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileError('read', path, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ValkeeperError('file_damaged', { path, problem: (error as Error).message }, { cause: error });
  }
}
