/** Where built engines are kept, one folder a version and processor: `engine/9.1.2-x64/{valkey-server,valkey-cli}`. */
import { readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { compareVersions, type Engine, type Env, isAcceptedVersion, readVersion } from './engine.ts';
import { isExecutable } from './search-path.ts';

/** The user's cache folder for engines: `${XDG_CACHE_HOME:-~/.cache}/valkeeper/engine`. */
export function defaultCacheDir(env: Env): string {
  const root = env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache');
  return join(root, 'valkeeper', 'engine');
}

/** The folder inside the cache that holds this version for this machine's processor. */
export function cachedEngineDir(cacheDir: string, version: string): string {
  return join(cacheDir, `${version}-${process.arch}`);
}

/** The newest accepted engine in the cache that still runs here (an upgrade of the system may break one), or null. */
export async function findCached(cacheDir: string, env: Env): Promise<Engine | null> {
  const newestFirst = cachedVersions(cacheDir).sort(compareVersions).reverse();
  for (const version of newestFirst) {
    const serverPath = join(cachedEngineDir(cacheDir, version), 'valkey-server');
    const cliPath = join(cachedEngineDir(cacheDir, version), 'valkey-cli');
    const answer = await readVersion(serverPath, env);
    if (!answer.ok || answer.version !== version) continue;
    return {
      serverPath,
      cliPath: isExecutable(cliPath) ? cliPath : null,
      version,
      origin: 'cache',
      licence: 'BSD-3-Clause',
    };
  }
  return null;
}

function cachedVersions(cacheDir: string): string[] {
  const suffix = `-${process.arch}`;
  return entriesOf(cacheDir)
    .filter((name) => /^\d+\.\d+\.\d+-/.test(name) && name.endsWith(suffix))
    .map((name) => name.slice(0, -suffix.length))
    .filter(isAcceptedVersion);
}

function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // nothing was ever built, or the build's own checks will name the problem
  }
}
