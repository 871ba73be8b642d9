/**
 * `valkey-benchmark`, which makes the load: the one named by VALKEEPER_BENCHMARK, else the one beside the engine, else
 * built once from the engine's own source into the user's cache, as the engine is.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { UPSTREAM_ARCHIVE } from '../../src/engine/archive.ts';
import { defaultCacheDir } from '../../src/engine/cache.ts';
import { compile } from '../../src/engine/compile.ts';
import type { BuildProgress } from '../../src/engine/progress.ts';
import { fetchSource } from '../../src/engine/source.ts';
import { ensureTools } from '../../src/engine/tools.ts';
import { takeFileLock } from '../../src/platform/file-lock.ts';
import { progress } from './report.ts';

const PROGRAM = 'valkey-benchmark';
const BUILD_DEADLINE_MS = 15 * 60_000;

/** The path of the program; the first time, minutes pass while it is built. */
export async function loadProgram({ serverPath, version }: { serverPath: string; version: string }): Promise<string> {
  const { env } = process;
  const named = env['VALKEEPER_BENCHMARK'];
  if (named) return named;
  const beside = join(dirname(serverPath), PROGRAM);
  if (existsSync(beside)) return beside;

  const cacheDir = join(dirname(defaultCacheDir(env)), 'benchmark');
  const path = join(cacheDir, `${version}-${process.arch}`, PROGRAM);
  if (existsSync(path)) return path;
  mkdirSync(dirname(path), { recursive: true });
  const signal = AbortSignal.timeout(BUILD_DEADLINE_MS);
  const release = await takeFileLock(join(cacheDir, 'build.lock'), () => progress('another build runs'), signal);
  try {
    if (!existsSync(path)) await build(cacheDir, path, signal);
  } finally {
    release();
  }
  return path;
}

async function build(cacheDir: string, path: string, signal: AbortSignal): Promise<void> {
  const { env } = process;
  const workDir = mkdtempSync(join(cacheDir, '.build-'));
  try {
    await ensureTools(workDir, env, show);
    const { sourceDir } = await fetchSource(workDir, UPSTREAM_ARCHIVE, env, signal, show);
    await compile(sourceDir, join(cacheDir, 'build.log'), env, signal, show, [PROGRAM]);
    copyFileSync(join(sourceDir, 'src', PROGRAM), `${path}.new`);
    renameSync(`${path}.new`, path);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

let shown = '';

/** A line for each phase. */
function show({ phase, detail }: BuildProgress): void {
  const line = `${PROGRAM}: ${phase}: ${detail}`;
  if (line !== shown) progress(line);
  shown = line;
}
