/** Running systemctl, on the terminal of the command. */
import { spawnSync } from 'node:child_process';
import { ValkeeperError } from '../domain/errors.ts';

/** systemd waits 90 s for a unit by itself. */
const TIMEOUT_MS = 120_000;

/** Runs `systemctl` with these words, to its end. @throws systemctl_failed */
export function systemctl(words: readonly string[], unit: string): void {
  const { error, status, stderr } = spawnSync('systemctl', words, { encoding: 'utf8', timeout: TIMEOUT_MS });
  if (status === 0) return;
  const problem = error?.message ?? (stderr.trim() || `exit code ${status}`);
  throw new ValkeeperError('systemctl_failed', { command: `systemctl ${words.join(' ')}`, problem, unit });
}
