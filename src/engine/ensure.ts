/** The engine, whatever it takes. */
import { buildEngine } from './build.ts';
import { defaultCacheDir } from './cache.ts';
import type { Engine, Env } from './engine.ts';
import { findEngine } from './find.ts';
import type { OnProgress } from './progress.ts';

/** Where to look, and whom to tell about a build. */
export interface EnsureOptions {
  env: Env;
  onProgress: OnProgress;
  /** A `valkey-server` named by the user; wins over VALKEEPER_ENGINE. */
  explicitPath?: string;
  /** Default: the user's cache, see `defaultCacheDir`. */
  cacheDir?: string;
}

/** Finds an engine or builds one (minutes; `onProgress` tells). Raises what `findEngine` and `buildEngine` raise. */
export async function ensureEngine(options: EnsureOptions): Promise<Engine> {
  const { env, onProgress, explicitPath } = options;
  const cacheDir = options.cacheDir ?? defaultCacheDir(env);
  const found = await findEngine({ cacheDir, env, ...(explicitPath === undefined ? {} : { explicitPath }) });
  return found ?? (await buildEngine({ cacheDir, env, onProgress }));
}
