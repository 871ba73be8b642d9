/** The folder of one machine: made, and claimed by one agent at a time. */
import { mkdirSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { fileError, readJson, writeFileAtomic } from '../platform/files.ts';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';

const AGENT_FILE = 'agent.json';

/** @returns its path without links: so the kernel tells the working directory of a process. @throws file_unusable */
export function makeFolder(dir: string): string {
  try {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    return realpathSync(dir);
  } catch (error) {
    throw fileError('open', dir, error);
  }
}

/** @throws already_running, file_unusable, file_damaged */
export async function claimFolder(dir: string): Promise<void> {
  const path = join(dir, AGENT_FILE);
  const other = (await readJson(path)) as ProcessIdentity | undefined;
  if (other && isRunning(other) && other.pid !== process.pid) {
    throw new ValkeeperError('already_running', { dir, pid: other.pid });
  }
  await writeFileAtomic(path, JSON.stringify(identify(process.pid)));
}

/** Another agent may begin here. */
export const leaveFolder = (dir: string): void => rmSync(join(dir, AGENT_FILE), { force: true });
