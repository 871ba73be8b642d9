/** One machine for a test: a folder, an address, a control plane's stand-in, agents, and nothing left of them after. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ADMIN_USER, BUS_PORT_OFFSET } from '../../src/domain/database.ts';
import type { TlsFiles } from '../../src/domain/tls-directives.ts';
import type { IfEnded } from '../../src/plan/pulse.ts';
import { isRunning, startTimeOf } from '../../src/platform/process-identity.ts';
import type { NodeConfig } from '../../src/protocol/agent-messages.ts';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import type { ForkWish } from './agent-process.ts';
import { testEngine } from './engine.ts';
import { type FakeControl, type FakeControlOptions, type FakeSession, startFakeControl } from './fake-control.ts';
import { assertNothingLeft, processesUnder } from './leaks.ts';

const AGENT_PROCESS = join(import.meta.dirname, 'agent-process.ts');
const ENDPOINT_PROCESS = join(import.meta.dirname, 'endpoint-process.ts');
export const MACHINE = 'm1';
export const ADMIN_PASSWORD = 'admin-password';
const PATIENCE_MS = 20_000;

export interface AgentChild {
  process: ChildProcess;
  /** What it wrote to stderr until now. */
  errors(): string;
}

interface AgentWish {
  enginePath?: string;
  credentials?: TlsFiles;
  /** Another than the scene's. */
  address?: string;
  plainText?: boolean;
  /** With the stand-in for the endpoint process. */
  endpoint?: boolean;
  /** What would become of a shard if a node of it were ended: the same for all. */
  ifEnded?: IfEnded;
  forks?: ForkWish;
  /** Where control planes are, if not the scene's. */
  controlUrls?: readonly string[];
}

export class AgentScene {
  readonly dir: string;
  readonly address: string;
  readonly control: FakeControl;
  readonly #t: TestContext;
  readonly #enginePath: string;
  readonly #engineVersion: string;
  readonly #undo: (() => unknown)[] = [];

  constructor(t: TestContext, control: FakeControl, engine: { serverPath: string; version: string }) {
    this.#t = t;
    this.control = control;
    this.#enginePath = engine.serverPath;
    this.#engineVersion = engine.version;
    this.dir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-agent-')));
    const [b, c, d] = randomBytes(3); // an address of its own: tests of other files run at the same time
    this.address = `127.${64 + (b! % 128)}.${c}.${1 + (d! % 254)}`;
    t.after(() => this.#clear());
  }

  nodeDir(id: string): string {
    return join(this.dir, 'nodes', id);
  }

  /** Starts an agent and waits for its hello. */
  async agent(options: AgentWish = {}): Promise<{ child: AgentChild; session: FakeSession }> {
    const child = this.spawnAgent(options);
    const exited = once(child.process, 'exit').then(() => {
      throw new Error(`the agent ended: ${child.errors()}`);
    });
    return { child, session: await Promise.race([this.control.agent(MACHINE), exited]) };
  }

  /** Starts an agent without waiting for anything. */
  spawnAgent(wish: AgentWish = {}): AgentChild {
    const { enginePath = this.#enginePath, endpoint = false, controlUrls = [this.control.url] } = wish;
    const { credentials, plainText = false } = wish;
    const options = {
      dir: this.dir,
      machine: MACHINE,
      address: wish.address ?? this.address,
      zone: 'local',
      memoryBytes: 2 ** 30,
      enginePath,
      engineVersion: this.#engineVersion,
      controlUrls,
      token: this.control.token,
      portRange: [7000, 7999],
      neighbourPort: 0,
      credentials: credentials ?? null,
      plainText,
      endpointProgram: endpoint ? ENDPOINT_PROCESS : null,
      ifEnded: wish.ifEnded,
      forks: wish.forks,
      logFile: join(this.dir, 'agent.log'),
    };
    // Its working folder is the scene's, so that the leak check finds it.
    const child = spawn(process.execPath, [AGENT_PROCESS, JSON.stringify(options)], {
      cwd: this.dir,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let errors = '';
    child.stderr.on('data', (data) => {
      errors += data;
    });
    this.#undo.push(async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    });
    return { process: child, errors: () => errors };
  }

  /** A node's configuration as the control plane would send it, with nothing on disk unless the directives say so. */
  nodeConfig(index: number, change: Partial<NodeConfig> = {}): NodeConfig {
    const id = (index + 1).toString(16).padStart(2, '0').repeat(20);
    const port = 7000 + index;
    const sha256 = createHash('sha256').update(ADMIN_PASSWORD).digest('hex');
    return {
      id,
      database: 'test',
      databaseUid: 'uid-1',
      port,
      tls: false,
      directives: [
        ['appendonly', 'no'],
        ['save', ''],
        ['cluster-node-timeout', '5000'],
        ['cluster-require-full-coverage', 'no'],
        ['cluster-allow-replica-migration', 'no'],
        ['repl-diskless-sync-delay', '0'],
        ['primaryuser', ADMIN_USER],
        ['primaryauth', ADMIN_PASSWORD],
      ],
      aclFile: `user default off\nuser ${ADMIN_USER} on #${sha256} ~* &* alldbs +@all\n`,
      adminPassword: ADMIN_PASSWORD,
      nodesConf: [
        `${id} ${this.address}:${port}@${port + BUS_PORT_OFFSET} myself,master - 0 0 0 connected`,
        'vars currentEpoch 0 lastVoteEpoch 0',
        '',
      ].join('\n'),
      ...change,
    };
  }

  /** A connection to the node, with TLS where it is given credentials; closed with the scene. */
  connect(port: number, credentials?: Credentials): NodeConnection {
    const connection = new NodeConnection({
      host: this.address,
      port,
      username: ADMIN_USER,
      password: ADMIN_PASSWORD,
      connectTimeoutMs: 2_000,
      commandTimeoutMs: 5_000,
      maxQueued: 100_000,
      ...(credentials ? { tls: () => clientOptions(credentials, { kind: 'machine', name: MACHINE }) } : {}),
    });
    this.#undo.push(() => connection.close());
    return connection;
  }

  /** Runs when the scene is cleared, before what was registered earlier. */
  onClear(undo: () => unknown): void {
    this.#undo.push(undo);
  }

  async #clear(): Promise<void> {
    for (const undo of this.#undo.reverse()) await undo();
    await this.control.close();
    // Nodes outlive their agents by design; what is left of them is ended here and must then be gone.
    for (const { pid } of processesUnder(this.dir)) await killAndWait(pid);
    rmSync(this.dir, { recursive: true, force: true });
    await assertNothingLeft(this.dir, this.address);
    this.#t.diagnostic('nothing left behind');
  }
}

/** A machine with nothing on it. */
export const agentScene = async (t: TestContext, options: FakeControlOptions = {}): Promise<AgentScene> => {
  const engine = await testEngine();
  return new AgentScene(t, await startFakeControl(options), engine);
};

/** kill -9, and waits until the process is gone. */
export async function killAndWait(pid: number): Promise<void> {
  const startTime = startTimeOf(pid);
  if (startTime === null) return;
  process.kill(pid, 'SIGKILL');
  await eventually(`the end of process ${pid}`, async () => !isRunning({ pid, startTime }));
}

/** Asks again and again until it is so. @throws Error when it is not within a generous time */
export async function eventually(what: string, holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS} ms`);
    await pause(5);
  }
}
