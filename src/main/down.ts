/** `down`: nodes, agents and server end in this order, and are seen to have ended. The data stays. */
import type { Cli } from '../cli/cli.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { takeFileLock } from '../platform/file-lock.ts';
import { pathsIn, runningServer } from './data-dir.ts';
import { processesIn, waitForExit } from './processes.ts';
import { startServer } from './server-process.ts';

/** After the nodes have stopped, the rest ends within moments. */
const EXIT_MS = 30_000;

/** @throws nothing_on_disk, declined, not_in_time, and what the start of a server throws */
export async function down(cli: Cli, { yes }: { yes: boolean }): Promise<void> {
  if (processesIn(cli.dataDir).length === 0) {
    cli.print({ stopped: false }, () => `Nothing runs in ${cli.dataDir}.`);
    return;
  }
  if (!runningServer(cli.dataDir)) await reviveServer(cli);
  await stopRunning(cli, yes);
  cli.print({ stopped: true }, () => `Everything has stopped; the data is kept in ${cli.dataDir}.`);
}

/** Nodes run without a server: only one that knows them can stop them in order. */
async function reviveServer(cli: Cli): Promise<void> {
  const release = await takeFileLock(pathsIn(cli.dataDir).upLock, () => {}, new AbortController().signal);
  try {
    if (runningServer(cli.dataDir)) return;
    cli.note('The server is gone, but nodes or agents run: starting it to stop them.');
    await startServer(cli.dataDir, undefined);
  } finally {
    release();
  }
}

/**
 * Stops what runs in the directory, server included.
 * @param yes go on although a database keeps nothing on disk; otherwise a person is asked
 * @throws nothing_on_disk when nobody can be asked, declined, not_in_time
 */
export async function stopRunning(cli: Cli, yes: boolean): Promise<void> {
  const processes = processesIn(cli.dataDir);
  const progress = cli.progress();
  progress.phase(`stopping ${processes.length} processes`);
  try {
    await cli.client.shutDown({ loseUnsavedData: yes }).catch(async (error: unknown) => {
      if (!(error instanceof ValkeeperError && error.code === 'nothing_on_disk' && cli.host.stdin.isTTY)) throw error;
      progress.end();
      await cli.confirm(`${error.message} Stop all the same?`, false);
      await cli.client.shutDown({ loseUnsavedData: true });
    });
    const left = await waitForExit(processes, EXIT_MS);
    if (left.length === 0) return;
    const missing = `processes ${left.map(({ pid }) => pid).join(', ')} still run`;
    const what = 'Not everything had stopped';
    throw new ValkeeperError('not_in_time', { what, seconds: EXIT_MS / 1000, missing, command: 'valkeeper down' });
  } finally {
    progress.end();
  }
}
