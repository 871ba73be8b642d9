/** A real server that speaks S3, for tests: a process of its own, on a loopback address of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('s3-process.ts', import.meta.url));
const HOST = '127.0.9.3';
/** It makes the marks of its pages with DES. */
const LEGACY = '--openssl-legacy-provider';
/** What s3rver knows. */
export const S3_CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

export interface S3Server {
  /** http://host:port */
  endpoint: string;
  bucket: string;
  /** The next so many requests fail with this status, are never answered, or (an object's) break off in the middle. */
  trouble(next: { fail?: number; status?: number; hang?: number; cut?: number }): Promise<void>;
  /** With SIGKILL. */
  kill(): Promise<void>;
}

/** Starts it with one empty bucket, in this empty folder. The caller ends it; it ends with this process, too. */
export async function startS3(dir: string): Promise<S3Server> {
  const bucket = 'backups';
  const child = spawn(process.execPath, [LEGACY, PROGRAM, HOST, dir, bucket], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  const [port] = (await once(lines, 'line', { signal: AbortSignal.timeout(20_000) })) as [string];
  return {
    endpoint: `http://${HOST}:${port}`,
    bucket,
    trouble: async (next) => {
      const answered = once(lines, 'line');
      child.stdin.write(`${JSON.stringify(next)}\n`);
      await answered;
    },
    kill: () => kill(child),
  };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
}
