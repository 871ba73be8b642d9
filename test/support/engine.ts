/** The engine for tests on real processes: the one that `npm test` has found or built before they run. */
import { defaultCacheDir } from '../../src/engine/cache.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { findEngine } from '../../src/engine/find.ts';

/** @throws Error when there is none: such a test fails rather than passing unseen */
export async function testEngine(): Promise<Engine> {
  const engine = await findEngine({ cacheDir: defaultCacheDir(process.env), env: process.env });
  if (!engine) throw new Error('no engine: run `npm test`, or name one with VALKEEPER_ENGINE=/path/to/valkey-server');
  return engine;
}
