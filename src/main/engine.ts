/** The engine for the processes and people here: found, or for `up` also built. */
import type { EngineDescription } from '../cli/process-options.ts';
import type { Progress } from '../cli/progress.ts';
import { ValkeeperError } from '../domain/errors.ts';
import { defaultCacheDir } from '../engine/cache.ts';
import type { Engine } from '../engine/engine.ts';
import { findEngine } from '../engine/find.ts';
import { runningServer } from './data-dir.ts';

/** @throws engine_missing when there is none, engine_unusable */
export async function existingEngine(): Promise<Engine> {
  const engine = await findEngine({ cacheDir: defaultCacheDir(process.env), env: process.env });
  if (!engine) throw new ValkeeperError('engine_missing');
  return engine;
}

/** @throws what the search for an engine and its build throw */
export async function engineForUp(progress: Progress): Promise<Engine> {
  const { ensureEngine } = await import('../engine/ensure.ts');
  return ensureEngine({
    env: process.env,
    onProgress: ({ phase, detail, fraction }) => {
      const share = fraction === undefined ? '' : ` (${Math.floor(fraction * 100)} %)`;
      progress.phase(`engine: ${phase}${share}: ${detail}`);
    },
  });
}

const ORIGINS: Record<Engine['origin'], string> = {
  explicit: 'named by VALKEEPER_ENGINE',
  path: 'found on PATH',
  cache: 'built from source earlier, kept in the cache',
  built: 'built from source just now',
};

/** An engine for people. */
export const describe = ({ origin, ...engine }: Engine): EngineDescription => ({ ...engine, origin: ORIGINS[origin] });

/** The engine that the server of a data directory uses, or else the one that would be used. @throws as existingEngine */
export const describeEngine = async (dataDir: string): Promise<EngineDescription> =>
  runningServer(dataDir)?.engine ?? describe(await existingEngine());
