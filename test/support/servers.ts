/** Several servers of one fleet over a real etcd, each with a machine of its own, as processes that a test may kill. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Event } from '../../src/domain/event.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { FleetStatus } from '../../src/protocol/api.ts';
import { testEngine } from './engine.ts';
import { type Etcd, startEtcd } from './etcd.ts';
import { assertNothingLeft, processesUnder } from './leaks.ts';
import { freePort } from './start-engine.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'main', 'valkeeper.ts');
export const LEASE_MS = 2_000;
/** A failsafe, not a measure. */
const PATIENCE_MS = 40_000;
const POLL_MS = 20;
const MIB = 1024 ** 2;

/** One server with its folder, its machine and its agent. */
export class ServerProcess {
  readonly dir: string;
  readonly url: string;
  readonly machine: string;
  readonly address: string;
  readonly #args: readonly string[];
  readonly #env: NodeJS.ProcessEnv;
  #child: ChildProcess | null = null;

  constructor(
    at: { dir: string; url: string; machine: string; address: string },
    args: readonly string[],
    env: NodeJS.ProcessEnv,
  ) {
    this.dir = at.dir;
    this.url = at.url;
    this.machine = at.machine;
    this.address = at.address;
    this.#args = args;
    this.#env = env;
  }

  /** Resolves when its API answers, whoever leads. */
  async start(): Promise<void> {
    const child = spawn(process.execPath, [PROGRAM, 'server', '--json', '--data-dir', this.dir, ...this.#args], {
      cwd: join(this.dir, 'control'),
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text));
    await eventually(`${this.machine}'s server`, async () => {
      if (child.exitCode !== null) throw new Error(`the server ended: ${said}`);
      return (await this.call('GET', '/v1/openapi.json').catch(() => null))?.status === 200;
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  async call(method: string, path: string, body?: unknown): Promise<Response> {
    const token = readFileSync(join(this.dir, 'token'), 'utf8').trim();
    return fetch(this.url + path, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    });
  }

  async get<T>(path: string): Promise<T> {
    const response = await this.call('GET', path);
    const text = await response.text();
    if (response.status !== 200) throw new Error(`GET ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as T;
  }

  status = (): Promise<FleetStatus> => this.get<FleetStatus>('/v1/status');
  database = (name: string): Promise<DatabaseStatus> => this.get<DatabaseStatus>(`/v1/databases/${name}`);

  async events(): Promise<Event[]> {
    return (await this.get<{ events: Event[] }>('/v1/events?limit=1000')).events;
  }

  /** A command of this server's data directory, run to its end. @returns what it wrote to its standard output */
  async cli(...args: string[]): Promise<string> {
    const run = promisify(execFile);
    const { stdout } = await run(process.execPath, [PROGRAM, ...args, '--data-dir', this.dir], { env: this.#env });
    return stdout;
  }

  /** A command that is left running. */
  spawnCli(...args: string[]): ChildProcess {
    const all = [PROGRAM, ...args, '--data-dir', this.dir];
    return spawn(process.execPath, all, { env: this.#env, stdio: ['ignore', 'pipe', 'inherit'] });
  }

  log(): string {
    return readFileSync(join(this.dir, 'control', 'server.log'), 'utf8');
  }

  /** Folders of the machine's nodes. */
  nodeFolders(): string[] {
    const nodes = join(this.dir, 'machines', this.machine, 'nodes');
    return existsSync(nodes) ? readdirSync(nodes).map((name) => join(nodes, name)) : [];
  }
}

export interface SeveralServers {
  etcd: Etcd;
  all: readonly ServerProcess[];
  /** The one that leads now, as another sees it. */
  leader(among?: readonly ServerProcess[]): Promise<ServerProcess>;
}

let scenes = 0;

/** Starts all of them and waits until one leads and every agent is connected. Nothing of them is left after the test. */
export async function startServers(
  t: TestContext,
  { servers: count = 3, members = 3 as 1 | 3 } = {},
): Promise<SeveralServers> {
  const { serverPath } = await testEngine();
  const etcd = await startEtcd(t, { members });
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-servers-')));
  scenes += 1;
  const network = `127.${220 + (process.pid % 30)}.${scenes + (process.pid % 200)}`;
  const env = { ...process.env, VALKEEPER_ENGINE: serverPath };
  const store = `etcd://${etcd.urls.map((url) => new URL(url).host).join(',')}/fleet`;
  const all: ServerProcess[] = [];
  for (let number = 1; number <= count; number += 1) {
    const dir = join(root, `host-${number}`);
    const machine = {
      name: `machine-${number}`,
      address: `${network}.${10 + number}`,
      zone: `zone-${number}`,
      memoryBytes: 512 * MIB,
    };
    mkdirSync(join(dir, 'control'), { recursive: true, mode: 0o700 });
    const port = await freePort();
    writeFileSync(join(dir, 'fleet.json'), JSON.stringify({ machines: [machine], apiPort: null, createdMain: true }));
    const args = ['--api-port', String(port), '--store', store, '--lease', String(LEASE_MS / 1_000)];
    all.push(
      new ServerProcess(
        { dir, url: `http://127.0.0.1:${port}`, machine: machine.name, address: machine.address },
        args,
        env,
      ),
    );
  }
  t.after(async () => {
    for (const server of all) await server.kill();
    // An agent that is ended by force leaves its nodes, and nobody starts another.
    for (const { pid } of processesUnder(root)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
    await eventually('the end of all processes', async () => processesUnder(root).length === 0);
    rmSync(root, { recursive: true, force: true });
    for (const { address } of all) await assertNothingLeft(root, address);
  });
  await Promise.all(all.map((server) => server.start()));
  await eventually('all agents', async () => {
    const { machines } = await all[0]!.status();
    return machines.filter(({ connected }) => connected).length === count;
  });
  return {
    etcd,
    all,
    leader: async (among = all) => {
      let found: ServerProcess | undefined;
      await eventually('a leader', async () => {
        const { servers } = await among[0]!.status();
        found = all.find(({ url }) => url === servers.leader);
        return found !== undefined;
      });
      return found!;
    },
  };
}

/** Asks again and again until it is so; what fails is asked again too. @throws Error when it is not within `withinMs` */
export async function eventually(what: string, holds: () => Promise<boolean>, withinMs = PATIENCE_MS): Promise<void> {
  const deadline = performance.now() + withinMs;
  let failure: unknown;
  for (;;) {
    try {
      if (await holds()) return;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`, { cause: failure });
    await pause(POLL_MS);
  }
}
