/**
 * Memory that is at hand. A virtual machine may have given what is free back to its host, and the first use of each page
 * costs several times as much then: the new nodes of whoever comes later would be faster by that. So for all alike as much
 * as a move takes is touched before, and free when slots begin to move.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const PROGRAM = join(import.meta.dirname, 'memory-process.ts');

export interface HeldMemory extends Disposable {
  free: () => void;
}

/** Of a process of its own, which gives all of it back at once. @throws Error when it ends before it holds it */
export async function holdMemory(bytes: number): Promise<HeldMemory> {
  const child = spawn(process.execPath, [PROGRAM, `${bytes}`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('there is no memory to be touched')));
  await Promise.race([once(child.stdout, 'data'), ended]);
  ended.catch(() => {});
  const free = (): void => void child.kill('SIGKILL');
  return { free, [Symbol.dispose]: free };
}
