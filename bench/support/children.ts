/** Programs that a benchmark starts: none of them outlives it, and none runs longer than it may. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Starts a program that serves; what it says goes to standard error. */
export function startChild(command: string, args: readonly string[], cwd: string): ChildProcess {
  return keep(spawn(command, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] }));
}

/** Ends all that still run. */
export async function stopChildren(): Promise<void> {
  const ends = [...running].map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(ends);
}

/** Runs a program to its end and returns what it printed. @throws Error with what it said, when it fails or takes too long */
export async function runChild(command: string, args: readonly string[], deadlineMs: number): Promise<string> {
  const child = keep(spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] }));
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (chunk: Buffer) => (stdout += chunk));
  child.stderr!.on('data', (chunk: Buffer) => (stderr += chunk));
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  try {
    const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (code === 0) return stdout;
    const end = signal === null ? `exit code ${code}` : `${signal}, perhaps after ${deadlineMs / 1000} s`;
    throw new Error(`${command} ${args.join(' ').slice(0, 300)} (${end}):\n${stderr.slice(-2_000)}`);
  } finally {
    clearTimeout(timer);
  }
}

/** Starts a program of ours from this folder that says a line when it is ready, and ends with its standard input. */
export async function startHelper(
  file: string,
  args: readonly string[],
  deadlineMs: number,
): Promise<{ end: () => Promise<void> }> {
  const child = keep(
    spawn(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: ['pipe', 'pipe', 'inherit'] }),
  );
  const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
  const ready = await Promise.race([
    once(child.stdout!, 'data').then(() => true),
    once(child, 'exit').then(() => false),
  ]);
  clearTimeout(timer);
  if (!ready) throw new Error(`${file} ended before it was ready`);
  return {
    end: async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${file} ended by itself`);
      child.stdin!.end();
      await once(child, 'exit');
    },
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

function keep<T extends ChildProcess>(child: T): T {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
