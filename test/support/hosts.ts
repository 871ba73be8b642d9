/**
 * Several hosts for a test: network namespaces with an address each on one bridge, where that may be done (root), else
 * addresses of the loopback interface. What runs on them ends with the test.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';

/** A failsafe for a hung command, far beyond what any takes. */
const COMMAND_TIMEOUT_MS = 60_000;
const END_MS = 10_000;
/** The last part of the address of a process that plugs itself in; hosts are counted from 1. */
const WATCHER = 250;
/** Where packages of this project are found. */
const CWD = import.meta.dirname;

export interface HostResult {
  code: number;
  stdout: string;
  stderr: string;
}

/** Where commands run, with an address of its own that the other hosts reach. */
export class Host {
  readonly address: string;
  /** Whether its ports are its own: on the loopback interface they are those of all. */
  readonly isolated: boolean;
  readonly #namespace: string | null;
  readonly #prefix: readonly string[];
  readonly #children: ChildProcess[] = [];

  constructor(address: string, namespace: string | null) {
    this.address = address;
    this.isolated = namespace !== null;
    this.#namespace = namespace;
    this.#prefix = namespace === null ? [] : ['ip', 'netns', 'exec', namespace];
  }

  /** The words of a command that runs here. */
  words(words: readonly string[]): string[] {
    return [...this.#prefix, ...words];
  }

  /** A command that is left running; the words that it writes are collected. */
  spawn(words: readonly string[], env: NodeJS.ProcessEnv = {}): ChildProcess & { output: () => string } {
    const [program, ...args] = this.words(words);
    const options = { cwd: CWD, env: { ...process.env, ...env } };
    const child = spawn(program!, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const collect = (data: Buffer): void => {
      output += data;
    };
    for (const stream of [child.stdout, child.stderr]) stream.on('data', collect);
    this.#children.push(child);
    return Object.assign(child, { output: () => output });
  }

  /** Runs a command to its end. */
  run(words: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<HostResult> {
    const [program, ...args] = this.words(words);
    const options = {
      cwd: CWD,
      env: { ...process.env, ...env },
      timeout: COMMAND_TIMEOUT_MS,
      killSignal: 'SIGKILL',
    } as const;
    return new Promise((resolve) => {
      execFile(program!, args, options, (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
      });
    });
  }

  /** Ends everything that runs here, as a power failure does. Only where the host is isolated. */
  losePower(): void {
    if (this.#namespace === null) throw new Error('only a host of its own can lose power');
    endAll(this.#namespace);
  }

  /**
   * Lets this process itself reach the hosts: a cable from the namespace it is in to their bridge. Only for a process in a
   * network namespace of its own, such as `unshare --net` makes: nothing of this machine's own network is touched.
   */
  plugIn(): void {
    if (this.#namespace === null) throw new Error('only a host of its own has a network to be plugged into');
    if (Object.values(networkInterfaces()).some((ones) => ones!.some(({ internal }) => !internal))) {
      throw new Error('this process is in the network of the machine: start it with `unshare --net`');
    }
    const bridge = this.#namespace.replace(/-\d+$/, '');
    const device = `${bridge}w`;
    const end = ['type', 'veth', 'peer', 'name', device, 'netns', String(process.pid)];
    ip('-n', bridge, 'link', 'add', 'watcher', ...end);
    ip('-n', bridge, 'link', 'set', 'watcher', 'master', 'bridge', 'up');
    ip('link', 'set', 'lo', 'up');
    ip('address', 'add', `${this.address.replace(/\d+$/, `${WATCHER}`)}/24`, 'dev', device);
    ip('link', 'set', device, 'up');
  }

  /** Ends what was left running here. */
  async end(): Promise<void> {
    const running = this.#children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
    await Promise.all(
      running.map(async (child) => {
        const over = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        if ((await Promise.race([over, pause(END_MS, 'late', { ref: false })])) === 'late') child.kill('SIGKILL');
      }),
    );
  }
}

const ip = (...words: string[]): string => execFileSync('ip', words, { encoding: 'utf8', stdio: 'pipe' });

/** Whether this process may make hosts of its own. */
function mayMakeNamespaces(): boolean {
  if (process.getuid?.() !== 0) return false;
  const probe = `vk-probe-${process.pid}`;
  try {
    ip('netns', 'add', probe);
    ip('netns', 'del', probe);
    return true;
  } catch {
    return false;
  }
}

/** So many hosts that reach each other. They are gone after the test, with all that runs on them. */
export function makeHosts(t: Pick<TestContext, 'after'>, count: number): Host[] {
  const [b = 0, c = 0] = randomBytes(2); // addresses of its own: tests of other files run at the same time
  if (!mayMakeNamespaces()) {
    const hosts = Array.from(
      { length: count },
      (_, index) => new Host(`127.${64 + (b % 128)}.${c}.${index + 1}`, null),
    );
    t.after(() => Promise.all(hosts.map((host) => host.end())));
    return hosts;
  }
  const id = `vk${process.pid}x${b}`;
  const names = Array.from({ length: count }, (_, index) => `${id}-${index}`);
  const hosts = names.map((name, index) => new Host(`10.${b}.${c}.${index + 1}`, name));
  t.after(async () => {
    await Promise.all(hosts.map((host) => host.end()));
    for (const name of names) endAll(name);
    for (const name of [...names, id]) quietly(() => ip('netns', 'del', name));
  });
  // The bridge has a namespace, too: nothing of this machine's own network is touched.
  ip('netns', 'add', id);
  ip('-n', id, 'link', 'add', 'bridge', 'type', 'bridge');
  ip('-n', id, 'link', 'set', 'bridge', 'up');
  for (const [index, name] of names.entries()) {
    ip('netns', 'add', name);
    ip('-n', name, 'link', 'set', 'lo', 'up');
    ip('-n', id, 'link', 'add', `port${index}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('-n', id, 'link', 'set', `port${index}`, 'master', 'bridge', 'up');
    ip('-n', name, 'address', 'add', `${hosts[index]!.address}/24`, 'dev', 'eth0');
    ip('-n', name, 'link', 'set', 'eth0', 'up');
  }
  return hosts;
}

/** Nodes and endpoints outlive what started them. */
function endAll(namespace: string): void {
  quietly(() => {
    for (const pid of ip('netns', 'pids', namespace).split('\n').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  });
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // it is gone already
  }
}
