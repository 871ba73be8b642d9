/** The engine: a `valkey-server` (and its `valkey-cli`) that Valkeeper may run, and which versions it accepts. */
import { run } from './run.ts';

/** Where an engine came from: named by the user, on PATH, built earlier, or built just now. */
export type EngineOrigin = 'explicit' | 'path' | 'cache' | 'built';

/** An engine that was asked for its version and is in the accepted range. */
export interface Engine {
  serverPath: string;
  /** Beside the server or on PATH; null when there is none. Only people need it. */
  cliPath: string | null;
  /** As in `9.1.2`. */
  version: string;
  origin: EngineOrigin;
  licence: 'BSD-3-Clause';
}

/** The environment that decides where to look: PATH, HOME, XDG_CACHE_HOME, VALKEEPER_ENGINE. */
export type Env = Record<string, string | undefined>;

/** The accepted versions, as messages say it. Atomic slot migration in its present form begins with 9.1. */
export const ACCEPTED_VERSIONS = '9.1 or later, below 10';

const VERSION_DEADLINE_MS = 5_000;

/** The version in the output of `valkey-server --version`, or null when another program answered. */
export function parseVersionOutput(output: string): string | null {
  return /^Valkey server v=(\d+\.\d+\.\d+)\s/m.exec(output)?.[1] ?? null;
}

/** Whether Valkeeper works with this version (`9.1.2`). */
export function isAcceptedVersion(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major === 9 && minor >= 1;
}

/** Orders versions such as `9.1.10` and `9.1.9` by number, oldest first. */
export function compareVersions(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

/** The version of the `valkey-server` at this path, or what is wrong with it. Runs it with `--version`. */
export async function readVersion(
  serverPath: string,
  env: Env,
): Promise<{ ok: true; version: string } | { ok: false; problem: string }> {
  const signal = AbortSignal.timeout(VERSION_DEADLINE_MS);
  const result = await run(serverPath, ['--version'], { env, signal });
  if (signal.aborted) return { ok: false, problem: `it did not tell its version within ${VERSION_DEADLINE_MS} ms` };
  if (result.code !== 0) return { ok: false, problem: `it does not run (${result.stderr.trim() || result.ending})` };
  const version = parseVersionOutput(result.stdout);
  if (version === null) return { ok: false, problem: 'it is not a valkey-server' };
  if (!isAcceptedVersion(version))
    return { ok: false, problem: `its version is ${version}, needed is ${ACCEPTED_VERSIONS}` };
  return { ok: true, version };
}
