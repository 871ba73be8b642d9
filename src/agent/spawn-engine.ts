/** The engine's process, on a node's directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { fileError } from '../platform/files.ts';

/** In a session of its own, so that neither a Ctrl-C nor the agent's end reaches it. @throws file_unusable */
export function spawnEngine(enginePath: string, { path, logPath }: { path: string; logPath: string }): ChildProcess {
  let output: number;
  try {
    output = openSync(logPath, 'a', 0o600);
  } catch (error) {
    throw fileError('open', logPath, error);
  }
  try {
    return spawn(enginePath, [join(path, 'valkey.conf')], {
      cwd: path,
      detached: true,
      stdio: ['ignore', output, output],
    });
  } finally {
    closeSync(output);
  }
}
