/**
 * A fleet for one benchmark: in a temporary folder of its own, at loopback addresses of its own, driven by the same
 * `./valkeeper` that a person types. It is stopped and removed at the end, whatever the end is.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '../../src/cli/client.ts';
import { ValkeeperError } from '../../src/domain/errors.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { endpointOf } from '../../src/main/data-dir.ts';
import { processesIn, waitForExit } from '../../src/main/processes.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');
const WAIT_MS = 60_000;
const POLL_MS = 20;
const EXIT_MS = 10_000;
const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

export interface Engine {
  version: string;
  serverPath: string;
  cliPath: string | null;
}

export interface Ran {
  /** From starting the command to its end. */
  durationMs: number;
  stdout: string;
}

export class Fleet {
  /** For whatever the benchmark itself needs to store or run. */
  readonly scratch: string;
  readonly dataDir: string;
  readonly #root: string;
  readonly #addressBase: string;
  readonly #env: NodeJS.ProcessEnv;
  #client: Client | null = null;
  #removed: Promise<void> | null = null;

  /** `env` is set for every command that is run, and so for all that it starts. */
  constructor(addressBase: string, env: NodeJS.ProcessEnv = {}) {
    this.#addressBase = addressBase;
    this.#env = env;
    this.#root = mkdtempSync(join(tmpdir(), 'valkeeper-bench-'));
    this.dataDir = join(this.#root, 'fleet');
    this.scratch = join(this.#root, 'scratch');
    mkdirSync(this.scratch);
    if (open.size === 0) for (const signal of SIGNALS) process.once(signal, interrupted);
    open.add(this);
  }

  /** The API of the running fleet. */
  get client(): Client {
    this.#client ??= new Client(endpointOf(this.dataDir));
    return this.#client;
  }

  /** Runs `./valkeeper <args>`. @throws Error with what it wrote, when it fails */
  async run(...args: string[]): Promise<Ran> {
    const startedAt = performance.now();
    const child = spawn(LAUNCHER, args, {
      env: { ...process.env, ...this.#env, VALKEEPER_HOME: this.dataDir },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk));
    let endedAt = 0;
    child.once('exit', () => (endedAt = performance.now()));
    const [code] = (await once(child, 'close')) as [number | null];
    if (code !== 0) throw new Error(`valkeeper ${args.join(' ')} failed:\n${stdout}${stderr}`);
    return { durationMs: endedAt - startedAt, stdout };
  }

  /** The first start names the addresses; later ones find them recorded. */
  up(...options: string[]): Promise<Ran> {
    return this.run('up', '--address-base', this.#addressBase, ...options);
  }

  async down(): Promise<void> {
    this.#client = null;
    await this.run('down', '--yes');
  }

  async engine(): Promise<Engine> {
    return JSON.parse((await this.run('engine', '--json')).stdout) as Engine;
  }

  /** Waits until the database is ready and nothing is left to say about it. */
  async untilReady(name: string): Promise<DatabaseStatus> {
    return await until(`${name} is ready`, async () => {
      const status = await this.client.database(name);
      return status.state === 'ready' && status.conditions.length === 0 ? status : null;
    });
  }

  async untilGone(name: string): Promise<void> {
    await until(`${name} is gone`, async () => {
      try {
        await this.client.database(name);
        return null;
      } catch (error) {
        if (error instanceof ValkeeperError && error.code === 'database_not_found') return true;
        throw error;
      }
    });
  }

  /** Stops everything and leaves nothing behind. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#removed ??= this.#remove();
    return this.#removed;
  }

  async #remove(): Promise<void> {
    await this.down().catch(() => {}); // it may not run
    const left = processesIn(this.#root);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    await waitForExit(left, EXIT_MS);
    rmSync(this.#root, { recursive: true, force: true });
    open.delete(this);
    if (open.size === 0) for (const signal of SIGNALS) process.off(signal, interrupted);
  }
}

/** Of this process; an interruption ends all of them before it ends the benchmark. */
const open = new Set<Fleet>();

function interrupted(): void {
  void Promise.allSettled([...open].map((fleet) => fleet[Symbol.asyncDispose]())).finally(() => process.exit(130));
}

/** Asks until the answer is not null. @throws Error naming what did not come */
async function until<T>(what: string, poll: () => Promise<T | null>): Promise<T> {
  const deadline = performance.now() + WAIT_MS;
  for (;;) {
    const found = await poll();
    if (found !== null) return found;
    if (performance.now() >= deadline) throw new Error(`not within ${WAIT_MS / 1000} s: ${what}`);
    await sleep(POLL_MS);
  }
}
