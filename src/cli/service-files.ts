/** Writing and removing units and their configuration below a root. */
import { chownSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { fileError, writeFileAtomic } from '../platform/files.ts';
import { makeFolders } from '../platform/folders.ts';
import { MARK, type Role, unitName } from './service-unit.ts';

const FOLDER_MODE = 0o755;
const UNIT_MODE = 0o644;
/** It may hold a token. */
const CONFIG_MODE = 0o600;

/** What lies where a unit belongs: nothing, the very same text, another of ours, or one of somebody else. */
export type UnitState = 'absent' | 'same' | 'different' | 'foreign';

/** Where the unit lies. */
export const unitPath = (root: string, role: Role): string => join(root, 'etc/systemd/system', unitName(role));

/** Compares what lies there with the text. @throws file_unusable */
export function unitState(path: string, text: string): UnitState {
  const present = readIfThere(path);
  if (present === null) return 'absent';
  if (present === text) return 'same';
  return present.startsWith(MARK) ? 'different' : 'foreign';
}

/**
 * Writes the unit.
 * @param force replace a different one
 * @returns whether it was written: it is not when it is there already
 * @throws unit_exists, file_unusable
 */
export async function writeUnit(path: string, text: string, role: Role, force: boolean): Promise<boolean> {
  const state = unitState(path, text);
  if (state === 'same') return false;
  if (state !== 'absent' && !force) throw new ValkeeperError('unit_exists', { path, role });
  makeFolder(dirname(path));
  await writeFileAtomic(path, text, UNIT_MODE);
  return true;
}

/**
 * Removes the unit, and what enabled it.
 * @param force remove one that we did not write, too
 * @returns whether there was one
 * @throws unit_foreign, file_unusable
 */
export function removeUnit(path: string, role: Role, force: boolean): boolean {
  const state = unitState(path, '');
  if (state === 'foreign' && !force) throw new ValkeeperError('unit_foreign', { path, role });
  try {
    rmSync(join(dirname(path), 'multi-user.target.wants', unitName(role)), { force: true });
    rmSync(path, { force: true });
  } catch (error) {
    throw fileError('write', path, error);
  }
  return state !== 'absent';
}

/** Writes a configuration file, unless there is one. @returns whether it was written @throws file_unusable */
export function writeConfig(path: string, text: string, owner: { uid: number; gid: number } | null): boolean {
  if (existsSync(path)) return false;
  makeFolder(dirname(path));
  try {
    writeFileSync(path, text, { flag: 'wx', mode: CONFIG_MODE });
    if (owner && process.getuid?.() === 0) chownSync(path, owner.uid, owner.gid);
  } catch (error) {
    throw fileError('write', path, error);
  }
  return true;
}

/** A user of the system below the root; null when it has none of that name. */
export function userOf(root: string, name: string): { uid: number; gid: number } | null {
  const line = (readIfThere(join(root, 'etc/passwd')) ?? '').split('\n').find((one) => one.startsWith(`${name}:`));
  if (line === undefined) return null;
  const [, , uid, gid] = line.split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function makeFolder(path: string): void {
  try {
    makeFolders(path, FOLDER_MODE);
  } catch (error) {
    throw fileError('write', path, error);
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw fileError('read', path, error);
  }
}
