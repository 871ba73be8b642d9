/**
 * Builds the engine from source, once per user:
 *   1. take the lock; another build may have finished meanwhile
 *   2. remove what a killed build left
 *   3. tools, source, compile, check: all in a temporary folder inside the cache
 *   4. rename the result into place; remove the temporary folder, whatever happened
 */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { takeFileLock } from '../platform/file-lock.ts';
import { type Archive, UPSTREAM_ARCHIVE } from './archive.ts';
import { cachedEngineDir, findCached } from './cache.ts';
import { checkEngine } from './check.ts';
import { compile, PROGRAMS } from './compile.ts';
import { ACCEPTED_VERSIONS, type Engine, type Env, isAcceptedVersion } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { fetchSource } from './source.ts';
import { ensureTools } from './tools.ts';

const WORK_PREFIX = '.build-';
const INTERRUPTS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What a build needs to know. */
export interface BuildOptions {
  /** See `defaultCacheDir`. */
  cacheDir: string;
  env: Env;
  onProgress: OnProgress;
  /** Used where Debian's source package cannot be had. */
  archive?: Archive;
}

/**
 * Builds the engine into the cache and returns it; a build that runs already is waited for and its result used.
 * While it works, SIGINT, SIGTERM and SIGHUP stop the build with everything it started, and it raises `engine_build_interrupted`.
 * Raises also `engine_cache_unusable`, `engine_tools_missing`, `engine_source_unavailable`, `engine_checksum`, `engine_build_failed`.
 */
export async function buildEngine(options: BuildOptions): Promise<Engine> {
  const interrupt = new AbortController();
  const onInterrupt = () => interrupt.abort();
  for (const name of INTERRUPTS) process.on(name, onInterrupt);
  try {
    return await buildUnderLock(options, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) throw new ValkeeperError('engine_build_interrupted');
    throw isFileTrouble(error) ? cacheUnusable(options.cacheDir, error) : error;
  } finally {
    for (const name of INTERRUPTS) process.off(name, onInterrupt);
  }
}

async function buildUnderLock(options: BuildOptions, signal: AbortSignal): Promise<Engine> {
  const { cacheDir, env, onProgress } = options;
  const release = await openCache(cacheDir, onProgress, signal);
  try {
    const present = await findCached(cacheDir, env);
    if (present !== null) return present;
    await removeLeftOvers(cacheDir);
    const workDir = mkdtempSync(join(cacheDir, WORK_PREFIX));
    try {
      await buildInto(workDir, options, signal);
    } finally {
      await removeFolder(workDir);
    }
    const built = await findCached(cacheDir, env);
    if (built === null) throw new ValkeeperError('internal', { detail: `the engine just built is not in ${cacheDir}` });
    return { ...built, origin: 'built' };
  } finally {
    release();
  }
}

async function buildInto(workDir: string, options: BuildOptions, signal: AbortSignal): Promise<void> {
  const { cacheDir, env, onProgress } = options;
  const logFile = join(cacheDir, 'build.log');
  await ensureTools(workDir, env, onProgress);
  signal.throwIfAborted();
  const source = await fetchSource(workDir, options.archive ?? UPSTREAM_ARCHIVE, env, signal, onProgress);
  if (!isAcceptedVersion(source.version)) {
    const problem = `the source is of version ${source.version}, needed is ${ACCEPTED_VERSIONS}`;
    throw new ValkeeperError('engine_source_unavailable', { problem });
  }
  await compile(source.sourceDir, logFile, env, signal, onProgress);

  const resultDir = join(workDir, 'result');
  mkdirSync(resultDir);
  for (const program of PROGRAMS) copyFileSync(join(source.sourceDir, 'src', program), join(resultDir, program));
  await checkEngine(resultDir, workDir, logFile, env, signal, onProgress);
  signal.throwIfAborted();

  const target = cachedEngineDir(cacheDir, source.version);
  onProgress({ phase: 'install', detail: target });
  await removeFolder(target); // a cached engine that no longer runs; one that runs would have been used
  renameSync(resultDir, target);
}

async function openCache(cacheDir: string, onProgress: OnProgress, signal: AbortSignal): Promise<() => void> {
  mkdirSync(cacheDir, { recursive: true });
  const onWait = () => onProgress({ phase: 'wait', detail: 'another build of the engine is running: waiting for it' });
  return takeFileLock(join(cacheDir, 'build.lock'), onWait, signal);
}

/** A full disk, a missing right: told by the file system or by SQLite about its lock file. */
function isFileTrouble(error: unknown): error is NodeJS.ErrnoException {
  if (!(error instanceof Error)) return false;
  return 'syscall' in error || ('code' in error && error.code === 'ERR_SQLITE_ERROR');
}

const cacheUnusable = (path: string, cause: Error) =>
  new ValkeeperError('engine_cache_unusable', { path, problem: cause.message }, { cause });

/** Folders of builds that were killed. Only the holder of the lock may do this: any such folder is then an orphan. */
async function removeLeftOvers(cacheDir: string): Promise<void> {
  const orphans = readdirSync(cacheDir).filter((name) => name.startsWith(WORK_PREFIX));
  for (const name of orphans) await removeFolder(join(cacheDir, name));
}

/** The retries are for a compiler of a killed build that still writes its last file. */
function removeFolder(path: string): Promise<void> {
  return rm(path, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}
