/** One holder at a time among processes. The lock is the operating system's, so it ends with its holder, however that dies. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';

const RETRY_MS = 200;

/** Waits for the lock file, calling `onWait` once when somebody else holds it. Aborting rejects. Returns the release. */
export async function takeFileLock(path: string, onWait: () => void, signal: AbortSignal): Promise<() => void> {
  for (let waited = false; ; waited = true) {
    const release = tryLock(path);
    if (release !== null) return release;
    if (!waited) onWait();
    await delay(RETRY_MS, undefined, { signal });
  }
}

/** SQLite's exclusive transaction is a portable file lock; nothing is ever written into the file. */
function tryLock(path: string): (() => void) | null {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return () => database.close();
  } catch (error) {
    database.close();
    if (error instanceof Error && /locked|busy/i.test(error.message)) return null;
    throw error;
  }
}
