/** Whether an engine was built with TLS. */
import type { Env } from './engine.ts';
import { run } from './run.ts';

const DEADLINE_MS = 5_000;
/** A word that no engine knows: it reads its options in turn, stops at the first that is unknown, and never starts. */
const UNKNOWN_OPTION = 'valkeeper-asks';

/** Null when it did not say. Runs it with options that it must refuse; no port is opened. */
export async function knowsTls(serverPath: string, env: Env): Promise<boolean | null> {
  const args = ['--port', '0', '--tls-port', '0', `--${UNKNOWN_OPTION}`, '1'];
  const { stdout, stderr } = await run(serverPath, args, { env, signal: AbortSignal.timeout(DEADLINE_MS) });
  const [, refused] = /^>>> '([\w-]+)/m.exec(stdout + stderr) ?? [];
  if (refused === UNKNOWN_OPTION) return true;
  return refused === 'tls-port' ? false : null;
}
