/** Compiles the engine with TLS and strips the result. */
import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { Env } from './engine.ts';
import type { OnProgress } from './progress.ts';
import { type RunResult, run } from './run.ts';

/** What is built and kept. */
export const PROGRAMS = ['valkey-server', 'valkey-cli'] as const;

/**
 * Runs make in the source folder, for what is kept or for other `programs` of the source; its output goes to `logFile`.
 * Raises `engine_build_failed`, naming the log, when make or strip fails.
 */
export async function compile(
  sourceDir: string,
  logFile: string,
  env: Env,
  signal: AbortSignal,
  onProgress: OnProgress,
  programs: readonly string[] = PROGRAMS,
): Promise<void> {
  const cores = availableParallelism();
  // -O2: upstream's -O3 adds link-time optimisation, which takes 1.6 times as long to build.
  const args = [`-j${cores}`, '-C', 'src', 'BUILD_TLS=yes', 'OPTIMIZATION=-O2', ...programs];
  const report = compileProgress(countSources(sourceDir), `make ${args[0]} (a minute or two)`, onProgress);
  const failed = (tool: string, result: RunResult) =>
    new ValkeeperError('engine_build_failed', { step: `${tool}: ${firstError(result)}`, log: logFile });
  const log = openSync(logFile, 'w');
  try {
    const made = await run('make', args, {
      cwd: sourceDir,
      env: { ...env, LC_ALL: 'C' },
      signal,
      onOutput: (text) => {
        writeSync(log, text);
        report(text);
      },
    });
    if (made.code !== 0) throw failed('make', made);
    const stripped = await run('strip', [...programs], { cwd: join(sourceDir, 'src'), env, signal });
    writeSync(log, stripped.stderr);
    if (stripped.code !== 0) throw failed('strip', stripped);
  } finally {
    closeSync(log);
  }
}

/** The first line that looks like the reason; what follows it in make's output is only its consequences. */
const firstError = (result: RunResult): string =>
  result.stderr
    .split('\n')
    .find((line) => /error|no space/i.test(line))
    ?.trim() ?? result.ending;

/**
 * Turns make's output into a fraction. An estimate: compiled files seen against the `.c` files of the folders that are
 * compiled, a few of which are not (or twice); it never falls and stays below 1 until make has ended.
 */
export function compileProgress(sources: number, detail: string, onProgress: OnProgress): (text: string) => void {
  let seen = 0;
  let unfinishedLine = '';
  onProgress({ phase: 'compile', detail, fraction: 0 });
  return (text) => {
    const lines = (unfinishedLine + text).split('\n');
    unfinishedLine = lines.pop() ?? '';
    const compiled = lines.filter(isCompileLine).length;
    if (compiled === 0) return;
    seen += compiled;
    onProgress({ phase: 'compile', detail, fraction: Math.min(0.99, seen / Math.max(1, sources)) });
  };
}

/** make prints `CC file.o` in colours; some dependencies show the whole compiler line. */
function isCompileLine(line: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
  const plain = line.replace(/\x1b\[[\d:;]*m/g, '');
  return /^\s*CC\s/.test(plain) || /^(gcc|cc)\s.*\s-c\s/.test(plain);
}

const COMPILED_FOLDERS: readonly (readonly [folder: string, times: number])[] = [
  ['src', 1],
  ['src/trace', 1],
  ['src/modules/lua', 1],
  ['deps/libvalkey/src', 1],
  ['deps/lua/src', 1],
  ['deps/jemalloc/src', 2], // once for the static and once for the position-independent library
];

function countSources(sourceDir: string): number {
  const count = (folder: string): number => {
    try {
      return readdirSync(join(sourceDir, folder)).filter((name) => name.endsWith('.c')).length;
    } catch {
      return 0; // a later release may lay its folders out differently: only the estimate suffers
    }
  };
  return COMPILED_FOLDERS.reduce((sum, [folder, times]) => sum + times * count(folder), 0);
}
