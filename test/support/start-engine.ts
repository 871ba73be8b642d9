/** Real valkey-servers for tests: each on a free loopback port, in a temporary folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { testEngine } from './engine.ts';

export interface RunningEngine {
  host: string;
  port: number;
  pid: number;
  /** Where it works. */
  dir: string;
  /** Kills it if it still runs, waits until it is gone, removes its folder. Also done when the test ends. */
  stop(): Promise<void>;
}

const HOST = '127.0.0.1';
/** The cluster bus listens at the client port and this. */
const BUS_PORT_OFFSET = 10_000;
const HIGHEST_PORT = 65_535 - BUS_PORT_OFFSET;
/** Another process may take the port between its choice and its use. */
const TRIES = 3;

/** A port that nobody listens on now, at which a cluster node's bus port is possible too. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer().listen(0, HOST);
    await once(server, 'listening');
    const address = server.address();
    server.close();
    await once(server, 'close');
    if (address && typeof address === 'object' && address.port <= HIGHEST_PORT) return address.port;
  }
}

/**
 * Starts one and waits until it listens; data it has may be loading yet. It saves nothing by itself.
 * @param args more of its command line; a function of the port where they depend on it
 * @throws Error with its log when it ends instead
 */
export async function startEngine(
  t: Pick<TestContext, 'after'>,
  { args = [], port }: { args?: readonly string[] | ((port: number) => readonly string[]); port?: number } = {},
): Promise<RunningEngine> {
  const { serverPath } = await testEngine();
  for (let tries = 1; ; tries += 1) {
    const chosen = port ?? (await freePort());
    const dir = mkdtempSync(join(tmpdir(), 'valkeeper-engine-'));
    const fixed = ['--bind', HOST, '--port', String(chosen), '--dir', dir, '--save', '', '--daemonize', 'no'];
    const more = typeof args === 'function' ? args(chosen) : args;
    const child = spawn(serverPath, [...fixed, ...more], { stdio: ['ignore', 'pipe', 'inherit'] });
    const stop = (): Promise<void> => stopEngine(child, dir);
    const log = await logUntilListening(child);
    if (log === null) {
      t.after(stop);
      return { host: HOST, port: chosen, pid: child.pid!, dir, stop };
    }
    await stop();
    if (tries === TRIES || port !== undefined) throw new Error(`valkey-server ended while starting:\n${log}`);
  }
}

/** Null once it listens; its log when it has ended before. */
async function logUntilListening(child: ChildProcess): Promise<string | null> {
  const killWithUs = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithUs);
  child.once('exit', () => process.off('exit', killWithUs));
  const lines: string[] = [];
  const output = createInterface({ input: child.stdout! });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    output.on('line', (line) => {
      if (line.includes('Server initialized')) resolve(null);
      lines.push(line);
      if (lines.length > 100) lines.shift();
    });
    output.once('close', () => resolve(lines.join('\n')));
  });
}

async function stopEngine(child: ChildProcess, dir: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  rmSync(dir, { recursive: true, force: true });
}
