/** A fleet of several hosts: a server on the first, agents that join on others, and the command line on the last. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import type { Event } from '../../src/domain/event.ts';
import type { CreatedToken, EventList, MachineList, MachineStatus } from '../../src/protocol/api.ts';
import { testEngine } from './engine.ts';
import { type Host, type HostResult, makeHosts } from './hosts.ts';
import { processesUnder } from './leaks.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');
const LISTEN_PORT = 7440;
/** A failsafe, not a measure: what a test waits for happens long before. */
const PATIENCE_MS = 30_000;

export type Running = ChildProcess & { output: () => string };

export class JoinedFleet {
  readonly hosts: readonly Host[];
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-joined-')));
  readonly #engine: string;
  readonly #apiPort: number;
  server!: Running;
  /** More of the environment of what runs on a host. */
  readonly moreEnv = new Map<number, NodeJS.ProcessEnv>();

  private constructor(hosts: readonly Host[], engine: string) {
    this.hosts = hosts;
    this.#engine = engine;
    this.#apiPort = hosts[0]!.isolated ? 7420 : 30_000 + (process.pid % 20_000);
  }

  /** @param count hosts: the server's, the machines', and that of the command line */
  static async start(t: Pick<TestContext, 'after'>, count: number): Promise<JoinedFleet> {
    const engine = (await testEngine()).serverPath;
    const fleet = new JoinedFleet(makeHosts(t, count), engine);
    t.after(() => fleet.#clear());
    await fleet.startServer();
    return fleet;
  }

  get url(): string {
    return `https://${this.hosts[0]!.address}:${LISTEN_PORT}`;
  }

  get client(): Host {
    return this.hosts.at(-1)!;
  }

  /** The data directory of a host. */
  home(index: number): string {
    return join(this.dir, `host-${index}`);
  }

  async startServer(): Promise<void> {
    const words = ['server', '--listen', `${this.hosts[0]!.address}:${LISTEN_PORT}`, '--api-port', `${this.#apiPort}`];
    this.server = this.hosts[0]!.spawn([LAUNCHER, ...words], this.#env(0));
    const listens = (): boolean => existsSync(join(this.home(0), 'control', 'server.json'));
    await until('the server listens', () => {
      assert.equal(this.server.exitCode, null, this.server.output());
      return listens() || null;
    });
    // What an operator carries to where commands are run.
    const client = this.home(this.hosts.length - 1);
    mkdirSync(client, { recursive: true });
    for (const file of ['token', 'authority.pem']) copyFileSync(join(this.home(0), file), join(client, file));
  }

  /** Runs a command on the last host, which reaches the server over the network only. */
  cli(...words: string[]): Promise<HostResult> {
    const index = this.hosts.length - 1;
    const remote = {
      VALKEEPER_SERVER: this.url,
      VALKEEPER_CA: join(this.home(index), 'authority.pem'),
      VALKEEPER_API_TOKEN_FILE: join(this.home(index), 'token'),
    };
    return this.client.run([LAUNCHER, ...words], { ...this.#env(index), ...remote });
  }

  /** The document that a command answers. */
  async ask<T>(...words: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.cli(...words, '--json');
    assert.equal(code, 0, `${words.join(' ')}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  }

  token(...words: string[]): Promise<CreatedToken> {
    return this.ask<CreatedToken>('machine', 'token', 'create', ...words);
  }

  /** Starts an agent on a host and leaves it running. */
  agent(index: number, ...words: string[]): Running {
    return this.hosts[index]!.spawn([LAUNCHER, 'agent', ...this.#place(index), ...words], this.#env(index));
  }

  /** Lets a machine join by the line that was printed for it. */
  async join(index: number, name: string, ...words: string[]): Promise<Running> {
    const { command } = await this.token();
    const line = command.split(' ').slice(2);
    const memory = words.includes('--witness') ? [] : ['--memory', '512mb'];
    const agent = this.agent(index, ...line, '--name', name, ...memory, ...words);
    await this.machine(name, ({ connected }) => connected, agent);
    return agent;
  }

  /** An agent that is to fail: how it ends. */
  refusedAgent(index: number, ...words: string[]): Promise<HostResult> {
    return this.hosts[index]!.run([LAUNCHER, 'agent', '--json', ...this.#place(index), ...words], this.#env(index));
  }

  /** A machine, once it is as wanted. */
  machine(name: string, wanted: (machine: MachineStatus) => boolean, agent?: Running): Promise<MachineStatus> {
    return until(`${name} as wanted`, async () => {
      assert.equal(agent?.exitCode ?? null, null, agent?.output() ?? '');
      const { machines } = await this.ask<MachineList>('machine', 'list');
      return machines.find((machine) => machine.name === name && wanted(machine)) ?? null;
    });
  }

  /** An event, once it has happened. */
  event(kind: Event['kind'], message: RegExp): Promise<Event> {
    return until(`an event ${kind} ${message}`, async () => {
      const { events } = await this.ask<EventList>('events', '--limit', '1000');
      return events.find((event) => event.kind === kind && message.test(event.message)) ?? null;
    });
  }

  /** On the loopback interface all reach the server by one address. */
  #place(index: number): string[] {
    const { address, isolated } = this.hosts[index]!;
    return isolated ? [] : ['--address', address];
  }

  #env(index: number): NodeJS.ProcessEnv {
    mkdirSync(this.home(index), { recursive: true });
    return { VALKEEPER_HOME: this.home(index), VALKEEPER_ENGINE: this.#engine, ...this.moreEnv.get(index) };
  }

  #clear(): void {
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

/** Asks until there is something. */
export async function until<T>(what: string, ask: () => Promise<T | null> | T | null): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found !== null) return found;
    if (performance.now() > deadline) assert.fail(`not in time: ${what}`);
    await pause(100);
  }
}
