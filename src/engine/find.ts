/** Finds an engine that is already there. */
import { dirname, join, resolve } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { findCached } from './cache.ts';
import { type Engine, type EngineOrigin, type Env, readVersion } from './engine.ts';
import { findOnPath, isExecutable } from './search-path.ts';

/** Where to look. */
export interface FindOptions {
  /** A `valkey-server` named by the user; wins over VALKEEPER_ENGINE. */
  explicitPath?: string;
  cacheDir: string;
  env: Env;
}

/**
 * The engine to use: the one named (option, then VALKEEPER_ENGINE), else the first accepted `valkey-server` on PATH,
 * else an earlier build from the cache, else null: then the caller builds one.
 * Raises `engine_unusable` when a named engine does not run or has another version: a wish is never silently skipped.
 */
export async function findEngine(options: FindOptions): Promise<Engine | null> {
  const { cacheDir, env } = options;
  if (options.explicitPath !== undefined) return namedEngine(options.explicitPath, 'the engine option', env);
  if (env.VALKEEPER_ENGINE) return namedEngine(env.VALKEEPER_ENGINE, 'VALKEEPER_ENGINE', env);

  for (const serverPath of findOnPath('valkey-server', env)) {
    const answer = await readVersion(serverPath, env);
    if (answer.ok) return describeEngine(serverPath, answer.version, 'path', env);
  }
  return findCached(cacheDir, env);
}

async function namedEngine(path: string, source: string, env: Env): Promise<Engine> {
  const serverPath = resolve(path);
  if (!isExecutable(serverPath)) {
    throw new ValkeeperError('engine_unusable', { source, path: serverPath, problem: 'there is no executable file' });
  }
  const answer = await readVersion(serverPath, env);
  if (!answer.ok) throw new ValkeeperError('engine_unusable', { source, path: serverPath, problem: answer.problem });
  return describeEngine(serverPath, answer.version, 'explicit', env);
}

function describeEngine(serverPath: string, version: string, origin: EngineOrigin, env: Env): Engine {
  const beside = join(dirname(serverPath), 'valkey-cli');
  const cliPath = isExecutable(beside) ? beside : (findOnPath('valkey-cli', env)[0] ?? null);
  return { serverPath, cliPath, version, origin, licence: 'BSD-3-Clause' };
}
