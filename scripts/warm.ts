/**
 * Compiles the modules of the server, the agents and the endpoints into Node's compile cache, with the flags they run with: each is
 * started once with a data directory that cannot be, and ends at once. Without it the first start would carry the
 * compiler for TypeScript in every process until the next one: some 65 MB more in all.
 */
import { spawnSync } from 'node:child_process';
import { BUSY, flagsWith, LEAN } from '../src/platform/spawn-detached.ts';

const NOWHERE = ['--data-dir', '/dev/null/none'];

const PROGRAMS = [
  { memory: LEAN, program: 'agent-process.ts', args: ['--machine', 'none', ...NOWHERE] },
  { memory: BUSY, program: 'endpoint-process.ts', args: ['--dir', '/dev/null/none'] },
  { memory: LEAN, program: 'valkeeper.ts', args: ['server', '--json', ...NOWHERE] },
];

for (const { memory, program, args } of PROGRAMS) {
  const path = new URL(`../src/main/${program}`, import.meta.url).pathname;
  spawnSync(process.execPath, [...flagsWith(memory), path, ...args], { stdio: 'ignore' });
}
