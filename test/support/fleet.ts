/** A running Valkeeper on a directory, addresses and an API port of its own, driven through the real command line. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import type { DatabaseStatus, NodeStatus } from '../../src/domain/status.ts';
import { testEngine } from './engine.ts';
import { assertNothingLeft, processesUnder } from './leaks.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');
/** A failsafe for a hung command, far beyond what any takes. */
const COMMAND_TIMEOUT_MS = 90_000;
const LOG_CHARACTERS = 8_000;

export interface CommandResult {
  code: number;
  stdout: string;
  stderr: string;
  /** The one document on stdout of a `--json` command. */
  json: <T>() => T;
}

let fleets = 0;

export interface FleetOptions {
  machines?: number;
  /** More arguments for `up`. */
  up?: readonly string[];
}

export class Fleet {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-test-')));
  readonly #number = fleets++;
  readonly #options: FleetOptions;
  readonly #engine: string;

  private constructor(options: FleetOptions, engine: string) {
    this.#options = options;
    this.#engine = engine;
  }

  /** Up, with `main` ready. */
  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const fleet = await Fleet.prepare(options);
    try {
      await fleet.up();
    } catch (error) {
      await fleet.abandon();
      throw error;
    }
    return fleet;
  }

  /** A directory and addresses; nothing runs yet. */
  static async prepare(options: FleetOptions = {}): Promise<Fleet> {
    return new Fleet(options, (await testEngine()).serverPath);
  }

  /** First machine's address: loopback, and no other test's. */
  get address(): string {
    return `127.${20 + (process.pid % 200)}.${this.#number}.11`;
  }

  get apiPort(): number {
    return 20_000 + ((process.pid * 13 + this.#number) % 10_000);
  }

  async up(...args: string[]): Promise<CommandResult> {
    const { machines = 3, up = [] } = this.#options;
    const place = ['--machines', String(machines), '--address-base', this.address, '--api-port', String(this.apiPort)];
    const result = await this.cli('up', ...place, ...up, ...args);
    assert.equal(result.code, 0, result.stderr);
    return result;
  }

  /** Runs a command to its end. @throws when it hangs, with what it and the server said until then */
  cli(...args: string[]): Promise<CommandResult> {
    return new Promise((resolve, reject) => {
      execFile(
        LAUNCHER,
        args,
        { env: this.env(), timeout: COMMAND_TIMEOUT_MS, killSignal: 'SIGKILL', maxBuffer: 64 * 1024 ** 2 },
        (error, stdout, stderr) => {
          if (error?.killed) {
            const said = [`valkeeper ${args.join(' ')} did not end`, stdout, stderr, this.#endOfLog()];
            return reject(new Error(said.join('\n')));
          }
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) });
        },
      );
    });
  }

  /** A command that is left running. */
  spawn(...args: string[]): ChildProcess {
    return spawn(LAUNCHER, args, { env: this.env(), stdio: ['ignore', 'pipe', 'pipe'] });
  }

  env(): NodeJS.ProcessEnv {
    return { ...process.env, VALKEEPER_HOME: this.dir, VALKEEPER_ENGINE: this.#engine };
  }

  async show(name = 'main'): Promise<DatabaseStatus> {
    const result = await this.cli('db', 'show', name, '--json');
    assert.equal(result.code, 0, result.stdout);
    return result.json<DatabaseStatus>();
  }

  /** Polls until the status is as wanted. @throws when it is not within `timeoutMs` */
  async until(name: string, wanted: (status: DatabaseStatus) => boolean, timeoutMs = 30_000): Promise<DatabaseStatus> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const status = await this.show(name);
      if (wanted(status)) return status;
      if (performance.now() > deadline)
        assert.fail(`${name} did not become as wanted: ${JSON.stringify(status, null, 1)}`);
      await pause(50);
    }
  }

  /** A cluster client of the database. */
  async client(name = 'main'): Promise<Cluster> {
    const { clusterEndpoints } = await this.show(name);
    const { password } = (await this.cli('db', 'password', name, '--json')).json<{ password: string | null }>();
    const client = new Cluster(clusterEndpoints, {
      redisOptions: password === null ? {} : { password },
      slotsRefreshTimeout: 2_000,
      clusterRetryStrategy: () => 20,
      retryDelayOnFailover: 10,
      retryDelayOnClusterDown: 10,
      retryDelayOnMoved: 5,
      maxRedirections: 500,
    });
    client.on('error', () => {}); // a lost node is no error of the test
    return client;
  }

  /** Down, and nothing is left: no process, no port, no file. */
  async stop(): Promise<void> {
    const result = await this.cli('down', '--yes');
    assert.equal(result.code, 0, result.stderr);
    assert.deepEqual(processesUnder(this.dir), [], 'processes are left');
    rmSync(this.dir, { recursive: true, force: true });
    for (const address of this.addresses()) await assertNothingLeft(this.dir, address);
  }

  addresses(): string[] {
    const base = this.address.replace(/11$/, '');
    return Array.from({ length: this.#options.machines ?? 3 }, (_, index) => `${base}${11 + index}`);
  }

  /** What the server wrote last; nothing while there is no server. */
  #endOfLog(): string {
    try {
      return readFileSync(join(this.dir, 'control', 'server.log'), 'utf8').slice(-LOG_CHARACTERS);
    } catch {
      return '';
    }
  }

  /** Ends what is left by force, after a failure. */
  async abandon(): Promise<void> {
    for (const { pid } of processesUnder(this.dir)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

/** Runs a test on a fleet of its own and leaves nothing behind, whatever happens. */
export async function withFleet(options: FleetOptions, test: (fleet: Fleet) => Promise<void>): Promise<void> {
  const fleet = await Fleet.start(options);
  try {
    await test(fleet);
    await fleet.stop();
  } finally {
    await fleet.abandon();
  }
}

/** Ready, and everyone where they should be: nothing will move by itself any more. */
export const isSettled = ({ state, conditions }: DatabaseStatus): boolean =>
  state === 'ready' && conditions.every(({ code }) => code === 'open_to_all' || code === 'copies_together');

/** Every node of the status. */
export const nodesOf = ({ shards }: DatabaseStatus): NodeStatus[] =>
  shards.flatMap(({ primary, replicas }) => (primary ? [primary, ...replicas] : replicas));
