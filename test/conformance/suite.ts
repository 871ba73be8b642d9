/**
 * The engine's own test suite: fetched once a version, from the source package that the engine is built from, into the
 * user's cache beside the engine. The suite is not changed in any way.
 */
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { UPSTREAM_ARCHIVE } from '../../src/engine/archive.ts';
import { defaultCacheDir } from '../../src/engine/cache.ts';
import type { OnProgress } from '../../src/engine/progress.ts';
import { findOnPath } from '../../src/engine/search-path.ts';
import { fetchSource } from '../../src/engine/source.ts';
import { install, type Missing } from '../../src/engine/tools.ts';

const FETCH_DEADLINE_MS = 10 * 60_000;
/** What of the source is kept. */
const KEPT = ['tests', 'utils', 'COPYING'];
/** As the suite's own `runtest` looks for it: the last that is there. */
const INTERPRETERS = ['tclsh8.5', 'tclsh8.6', 'tclsh9.0'];

const env = process.env;

/** The folder with the suite of this version. @throws Error or ValkeeperError when it cannot be had */
export async function ensureSuite(version: string, onProgress: OnProgress): Promise<string> {
  const cacheDir = join(dirname(defaultCacheDir(env)), 'conformance');
  const target = join(cacheDir, version);
  if (existsSync(target)) return target;
  mkdirSync(cacheDir, { recursive: true });
  const workDir = mkdtempSync(join(cacheDir, '.fetch-'));
  try {
    const signal = AbortSignal.timeout(FETCH_DEADLINE_MS);
    const source = await fetchSource(workDir, UPSTREAM_ARCHIVE, env, signal, onProgress);
    if (source.version !== version) {
      throw new Error(`the engine is of version ${version}, but the suite that can be had is of ${source.version}`);
    }
    const kept = join(workDir, 'kept');
    mkdirSync(kept);
    for (const name of KEPT) cpSync(join(source.sourceDir, name), join(kept, name), { recursive: true });
    if (!existsSync(target)) renameSync(kept, target); // else another run was faster
  } finally {
    rmSync(workDir, { recursive: true, force: true });
  }
  return target;
}

/** The path of Tcl's interpreter; installed when it is missing and may be. @throws Error when it is not there then */
export async function ensureTcl(onProgress: OnProgress): Promise<string> {
  const found = (): string | undefined => INTERPRETERS.flatMap((name) => findOnPath(name, env)).at(-1);
  const missing: Missing[] = [{ what: 'Tcl', debianPackage: 'tcl' }];
  const { installProblem } = await install(async () => (found() === undefined ? missing : []), env, onProgress);
  const path = found();
  if (path === undefined) throw new Error(`the suite needs Tcl (apt-get install tcl)${installProblem}`);
  return path;
}
