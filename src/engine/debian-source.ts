/**
 * The engine's source from Debian's development suite. apt checks signatures and checksums. It is told to use a source
 * list, index folder and download folder of our own, so the system's configuration is read and never changed, and no
 * right beyond the user's own is needed.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ACCEPTED_VERSIONS, type Env, isAcceptedVersion } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { run } from './run.ts';
import { findOnPath } from './search-path.ts';

const SUITE = 'sid';
const PACKAGE = 'valkey';

/** A downloaded source tarball, or why there is none. */
export type SourceOutcome = { ok: true; tarball: string } | { ok: false; problem: string };

/** Downloads the source package into a folder of its own below `workDir`. Only apt's word is trusted for its content. */
export async function downloadDebianSource(
  workDir: string,
  env: Env,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<SourceOutcome> {
  if (findOnPath('apt-get', env).length === 0) return { ok: false, problem: 'this system has no apt-get' };
  const apt = aptGet({ ...env, LC_ALL: 'C' }, signal);
  onProgress({ phase: 'fetch', detail: `reading the package index of Debian ${SUITE}` });

  // `update --print-uris` reads the configuration only: it answers even where no index was ever downloaded.
  const configured = await apt(['update', '--print-uris']);
  const mirror = mirrorIn(configured.stdout);
  if (mirror === null) return { ok: false, problem: 'apt-get knows no Debian mirror' };

  const own = ownConfiguration(join(workDir, 'apt'), mirror);
  const updated = await apt([...own.options, 'update'], own.dir);
  if (updated.code !== 0) return { ok: false, problem: `apt-get update: ${reasonIn(updated.stderr)}` };

  onProgress({ phase: 'fetch', detail: `downloading the source package ${PACKAGE} from Debian ${SUITE}` });
  const fetched = await apt([...own.options, 'source', '--download-only', PACKAGE], own.dir);
  if (fetched.code !== 0) return { ok: false, problem: `apt-get source: ${reasonIn(fetched.stderr)}` };
  return chooseTarball(own.dir);
}

/** The first configured archive that is not a security archive, from the output of `apt-get update --print-uris`. */
export function mirrorIn(printedUris: string): string | null {
  const roots = [...printedUris.matchAll(/^'(\S+?)\/dists\/\S+'/gm)].map((match) => match[1]!);
  return roots.find((root) => !root.includes('security')) ?? null;
}

const APT_LIMITS = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20', '-o', 'Acquire::https::Timeout=20'];

const aptGet = (env: Env, signal: AbortSignal) => (args: readonly string[], cwd?: string) =>
  run('apt-get', [...APT_LIMITS, ...args], { env, signal, ...(cwd === undefined ? {} : { cwd }) });

function ownConfiguration(dir: string, mirror: string): { dir: string; options: string[] } {
  mkdirSync(join(dir, 'lists', 'partial'), { recursive: true });
  mkdirSync(join(dir, 'cache', 'archives', 'partial'), { recursive: true });
  const list = join(dir, 'sources.list');
  writeFileSync(list, `deb-src ${mirror} ${SUITE} main\n`);
  const settings = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::Lists': join(dir, 'lists'),
    'Dir::Cache': join(dir, 'cache'),
    // Unsigned or unverifiable indexes and packages are refused, whatever the machine's configuration allows.
    'Acquire::AllowInsecureRepositories': 'false',
    'Acquire::AllowDowngradeToInsecureRepositories': 'false',
    'APT::Get::AllowUnauthenticated': 'false',
    // apt's download user may not enter this user's cache folder.
    'APT::Sandbox::User': 'root',
  };
  return { dir, options: Object.entries(settings).flatMap(([name, value]) => ['-o', `${name}=${value}`]) };
}

function chooseTarball(dir: string): SourceOutcome {
  for (const name of readdirSync(dir)) {
    const version = /^valkey_(\d+\.\d+\.\d+)[^/]*\.orig\.tar\.\w+$/.exec(name)?.[1];
    if (version === undefined) continue;
    if (isAcceptedVersion(version)) return { ok: true, tarball: join(dir, name) };
    return { ok: false, problem: `Debian ${SUITE} has version ${version}, needed is ${ACCEPTED_VERSIONS}` };
  }
  return { ok: false, problem: 'the source package holds no upstream tarball' };
}

/** apt's first error line without its `E: `, or its last line. */
function reasonIn(stderr: string): string {
  const lines = stderr.trim().split('\n');
  return (lines.find((line) => line.startsWith('E: ')) ?? lines.at(-1) ?? '').replace(/^E: /, '');
}
