/** What the machine must bring to compile the engine or to run its tests, and getting it where that is ours to do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { Env } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { run } from './run.ts';
import { findOnPath } from './search-path.ts';

/** Programs and the Debian packages that bring them. */
const PROGRAMS: readonly (readonly [program: string, debianPackage: string])[] = [
  ['make', 'build-essential'],
  ['gcc', 'build-essential'],
  ['strip', 'build-essential'],
  ['pkg-config', 'pkg-config'],
  ['tar', 'tar'],
  ['gzip', 'gzip'],
];

/** One thing missing, and the Debian package that has it. */
export interface Missing {
  what: string;
  debianPackage: string;
}

/**
 * Makes sure that the engine can be compiled: as root on a Debian-like system what is missing is installed.
 * Raises `engine_tools_missing`, naming the packages, when it is not there afterwards.
 */
export async function ensureTools(workDir: string, env: Env, onProgress: OnProgress): Promise<void> {
  onProgress({ phase: 'tools', detail: 'looking for compiler, make and libraries' });
  const { left, installProblem } = await install(() => findMissing(workDir, env), env, onProgress);
  if (left.length === 0) return;
  throw new ValkeeperError('engine_tools_missing', {
    what: left.map((one) => one.what).join(', ') + installProblem,
    packages: packagesOf(left).join(' '),
  });
}

/**
 * Looks for what is missing; as root on a Debian-like system installs it and looks again.
 * Returns what is missing still, and what went wrong as the tail of a sentence, or ''.
 */
export async function install(
  findMissing: () => Promise<readonly Missing[]>,
  env: Env,
  onProgress: OnProgress,
): Promise<{ left: readonly Missing[]; installProblem: string }> {
  let left = await findMissing();
  let installProblem = '';
  if (left.length > 0 && process.getuid?.() === 0 && findOnPath('apt-get', env).length > 0) {
    installProblem = await installPackages(packagesOf(left), env, onProgress);
    left = await findMissing();
  }
  return { left, installProblem };
}

async function findMissing(workDir: string, env: Env): Promise<Missing[]> {
  const missing = PROGRAMS.filter(([program]) => findOnPath(program, env).length === 0).map(
    ([what, debianPackage]): Missing => ({ what, debianPackage }),
  );
  const canProbe = !missing.some((one) => one.what === 'gcc');
  if (!canProbe || !(await hasHeader('openssl/ssl.h', workDir, env))) {
    missing.push({ what: 'the headers of OpenSSL', debianPackage: 'libssl-dev' });
  }
  if (canProbe && !(await hasHeader('stdlib.h', workDir, env))) {
    missing.push({ what: 'the headers of the C library', debianPackage: 'build-essential' });
  }
  return missing;
}

async function hasHeader(header: string, workDir: string, env: Env): Promise<boolean> {
  const probe = join(workDir, 'probe.c');
  writeFileSync(probe, `#include <${header}>\n`);
  const result = await run('gcc', ['-E', probe, '-o', '/dev/null'], { env });
  return result.code === 0;
}

function packagesOf(missing: readonly Missing[]): string[] {
  return [...new Set(missing.map((one) => one.debianPackage))];
}

/**
 * Installs packages and returns what went wrong as the tail of a sentence, or ''. Never killed in the middle, so that
 * an interruption does not leave the system's package database half configured.
 */
async function installPackages(packages: readonly string[], env: Env, onProgress: OnProgress): Promise<string> {
  const quiet = { ...env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' };
  const steps = [['update'], ['install', '--yes', '--no-install-recommends', ...packages]];
  for (const args of steps) {
    onProgress({ phase: 'tools', detail: `apt-get ${args.join(' ')}` });
    const result = await run('apt-get', args, {
      env: quiet,
      onOutput: (text) => {
        const name = /^(?:Unpacking|Setting up) (\S+)/m.exec(text)?.[1];
        if (name !== undefined) onProgress({ phase: 'tools', detail: `installing ${name}` });
      },
    });
    if (result.code !== 0) return ` (apt-get ${args[0]} failed: ${lastLine(result.stderr) || result.ending})`;
  }
  return '';
}

const lastLine = (text: string): string => text.trim().split('\n').at(-1) ?? '';
