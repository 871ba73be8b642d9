/**
 * Compiles the modules of the server, the agents and the endpoints into Node's compile cache, with the flags they run with: each is
 * started once with a data directory that cannot be, and ends at once. Without it the first start would carry the
 * compiler for TypeScript in every process until the next one: some 65 MB more in all.
 */
import { spawnSync } from 'node:child_process';
import { LEAN } from '../src/platform/spawn-detached.ts';

const NOWHERE = ['--data-dir', '/dev/null/none'];

for (const [program, ...args] of [
  ['agent-process.ts', '--machine', 'none', ...NOWHERE],
  ['endpoint-process.ts', '--dir', '/dev/null/none'],
  ['valkeeper.ts', 'server', '--json', ...NOWHERE],
]) {
  const path = new URL(`../src/main/${program}`, import.meta.url).pathname;
  spawnSync(process.execPath, [...process.execArgv, ...LEAN, path, ...args], { stdio: 'ignore' });
}
