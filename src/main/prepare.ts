/** Making a data directory: folders and tokens that only their owner may read. */
import { randomBytes } from 'node:crypto';
import { chmodSync, statSync, writeFileSync } from 'node:fs';
import { ValkeeperError } from '../domain/errors.ts';
import { makeFolders } from '../platform/folders.ts';
import { pathsIn } from './data-dir.ts';

/** Makes the directory, its folders and its tokens, as far as they are not there. @throws data_dir_unusable */
export function prepareDataDir(dataDir: string): void {
  const { token, agentToken, upLock, control, machines } = pathsIn(dataDir);
  for (const folder of [dataDir, control, machines]) makeFolder(folder);
  for (const file of [token, agentToken]) makeFile(file, randomBytes(24).toString('base64url'));
  makeFile(upLock, '');
}

/** A folder that only its owner may read, made if need be. @throws data_dir_unusable */
export function makeFolder(path: string): void {
  try {
    makeFolders(path, 0o700);
    if (!statSync(path).isDirectory()) throw new Error('is not a folder');
    chmodSync(path, 0o700);
  } catch (error) {
    throw unusable(path, error);
  }
}

function makeFile(path: string, content: string): void {
  try {
    writeFileSync(path, content, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw unusable(path, error);
  }
}

const REASONS: Record<string, string> = {
  EACCES: 'may not be written by this user',
  EPERM: 'may not be written by this user',
  EROFS: 'is on a read-only file system',
  ENOTDIR: 'has a file where a folder should be',
  ENOENT: 'cannot be made there',
  ENOSPC: 'is on a full disk',
};

function unusable(path: string, error: unknown): ValkeeperError {
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new ValkeeperError('data_dir_unusable', { path, problem: REASONS[code] ?? message }, { cause: error });
}
