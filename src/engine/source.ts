/** Gets the engine's source onto the disk: Debian's package where apt has it, upstream's pinned archive elsewhere. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import { type Archive, downloadArchive } from './archive.ts';
import { downloadDebianSource } from './debian-source.ts';
import type { Env } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { run } from './run.ts';

/**
 * Fetches and unpacks the source below `workDir`; returns its folder and version.
 * Raises `engine_source_unavailable` naming every way that was tried, or `engine_checksum`.
 */
export async function fetchSource(
  workDir: string,
  archive: Archive,
  env: Env,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<{ sourceDir: string; version: string }> {
  const tarball = await downloadTarball(workDir, archive, env, signal, onProgress);
  onProgress({ phase: 'unpack', detail: 'unpacking the source' });
  const sourceDir = join(workDir, 'source');
  mkdirSync(sourceDir);
  // The name of the archive's top folder differs from release to release.
  const args = ['-xf', tarball, '-C', sourceDir, '--strip-components=1', '--no-same-owner'];
  const unpacked = await run('tar', args, { env, signal });
  if (unpacked.code !== 0) throw unavailable(`tar: ${unpacked.stderr.trim() || unpacked.ending}`);
  return { sourceDir, version: versionIn(sourceDir) };
}

async function downloadTarball(
  workDir: string,
  archive: Archive,
  env: Env,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<string> {
  const fromDebian = await downloadDebianSource(workDir, env, signal, onProgress);
  if (fromDebian.ok) return fromDebian.tarball;
  signal.throwIfAborted();
  const tarball = join(workDir, 'source.tar.gz');
  try {
    await downloadArchive(archive, tarball, signal, onProgress);
  } catch (error) {
    if (error instanceof ValkeeperError) throw error;
    throw unavailable(`Debian: ${fromDebian.problem}; upstream: ${archive.url}: ${describe(error)}`);
  }
  return tarball;
}

/** The version as the source itself tells it. */
function versionIn(sourceDir: string): string {
  const header = readFileSync(join(sourceDir, 'src', 'version.h'), 'utf8');
  const version = /#define VALKEY_VERSION "([^"]+)"/.exec(header)?.[1];
  if (version === undefined) throw unavailable('src/version.h names no version');
  return version;
}

const unavailable = (problem: string) => new ValkeeperError('engine_source_unavailable', { problem });

/** fetch() hides the reason (refused, unknown host) in `cause`. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}
