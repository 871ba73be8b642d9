/** Real etcd members for tests: on free loopback ports, each with a temporary folder of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { debianProgram } from './debian.ts';
import { freePort } from './start-engine.ts';

const HOST = '127.0.0.1';
/** Elections and the shortest lease are half of what they are as a rule. */
const TIMES = ['--heartbeat-interval', '50', '--election-timeout', '500'];
const START_MS = 20_000;
const POLL_MS = 20;

export interface EtcdMember {
  name: string;
  /** Where clients find it. */
  url: string;
  /** With SIGKILL. */
  kill(): Promise<void>;
  /** Stops it where it is (SIGSTOP), and lets it go on. */
  pause(): void;
  resume(): void;
  /** Starts it again with what it has on disk; resolves when it serves. */
  start(): Promise<void>;
}

export interface Etcd {
  members: readonly EtcdMember[];
  urls: readonly string[];
  /** The member that leads now. */
  leader(): Promise<EtcdMember>;
  /** Asks the first member that answers, as JSON. */
  ask(path: string, body: object): Promise<Record<string, unknown>>;
}

export interface EtcdOptions {
  members?: 1 | 3;
  /** More arguments of each member. */
  args?: readonly string[];
  /** Files in PEM: then clients must speak TLS. */
  tls?: { ca: string; cert: string; key: string; clientCa?: string };
}

let path: Promise<string> | undefined;

/** The program; installed when it is missing and may be. @throws Error when it is not there then */
function etcdPath(): Promise<string> {
  path ??= debianProgram('etcd', 'etcd-server');
  return path;
}

/** Starts them and waits until they serve. They end with the test. */
export async function startEtcd(t: Pick<TestContext, 'after'>, options: EtcdOptions = {}): Promise<Etcd> {
  const { members: count = 1, args = [], tls } = options;
  const program = await etcdPath();
  const dir = mkdtempSync(join(tmpdir(), 'valkeeper-etcd-'));
  const scheme = tls ? 'https' : 'http';
  const places = await Promise.all(
    Array.from({ length: count }, async (_, index) => ({
      name: `e${index + 1}`,
      url: `${scheme}://${HOST}:${await freePort()}`,
      peerUrl: `http://${HOST}:${await freePort()}`,
    })),
  );
  const cluster = places.map(({ name, peerUrl }) => `${name}=${peerUrl}`).join(',');
  const secure = tls ? ['--cert-file', tls.cert, '--key-file', tls.key] : [];
  if (tls?.clientCa) secure.push('--client-cert-auth', '--trusted-ca-file', tls.clientCa);
  const members = places.map(({ name, url, peerUrl }) => {
    const own = join(dir, name);
    mkdirSync(own, { mode: 0o700 });
    return new Member(name, url, program, [
      ...['--name', name, '--data-dir', own, '--initial-cluster', cluster, '--log-level', 'warn', '--logger', 'zap'],
      ...['--listen-client-urls', url, '--advertise-client-urls', url],
      ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
      // What a process that was killed has written is kept by the kernel: no need to burden the disk.
      ...['--unsafe-no-fsync', ...TIMES, ...secure, ...args],
    ]);
  });
  t.after(async () => {
    await Promise.all(members.map((member) => member.kill()));
    rmSync(dir, { recursive: true, force: true });
  });
  await Promise.all(members.map((member) => member.start(tls === undefined)));
  const etcd = { members, urls: members.map(({ url }) => url), leader: () => leaderOf(members), ask: askOf(members) };
  return etcd;
}

class Member implements EtcdMember {
  readonly name: string;
  readonly url: string;
  readonly #program: string;
  readonly #args: readonly string[];
  #child: ChildProcess | null = null;

  constructor(name: string, url: string, program: string, args: readonly string[]) {
    this.name = name;
    this.url = url;
    this.#program = program;
    this.#args = args;
  }

  async start(isPlain = true): Promise<void> {
    const child = spawn(this.#program, this.#args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child = child;
    const killWithUs = (): void => void child.kill('SIGKILL');
    process.once('exit', killWithUs);
    child.once('exit', () => process.off('exit', killWithUs));
    const log: string[] = [];
    createInterface({ input: child.stderr! }).on('line', (line) => {
      log.push(line);
      if (log.length > 50) log.shift();
    });
    const giveUpMs = performance.now() + START_MS;
    while (!(await this.#serves(isPlain))) {
      if (child.exitCode !== null || child.signalCode !== null || performance.now() > giveUpMs) {
        await this.kill();
        throw new Error(`etcd did not start:\n${log.join('\n')}`);
      }
      await sleep(POLL_MS);
    }
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  /** Whether it has a majority; with TLS, whether it listens: what it says is not ours to read then. */
  async #serves(isPlain: boolean): Promise<boolean> {
    try {
      const response = await fetch(new URL('/health', this.url), { signal: AbortSignal.timeout(1_000) });
      return ((await response.json()) as { health?: string }).health === 'true';
    } catch (error) {
      const { code } = ((error as Error).cause ?? {}) as { code?: string };
      return !isPlain && code !== undefined && code !== 'ECONNREFUSED';
    }
  }
}

const askOf = (members: readonly EtcdMember[]): Etcd['ask'] => {
  return async (path, body) => {
    for (const { url } of members) {
      const asked = { method: 'POST', body: JSON.stringify(body), signal: AbortSignal.timeout(2_000) };
      const response = await fetch(new URL(path, url), asked).catch(() => null);
      if (response !== null) return (await response.json()) as Record<string, unknown>;
    }
    throw new Error('no member of etcd answers');
  };
};

async function leaderOf(members: readonly EtcdMember[]): Promise<EtcdMember> {
  const ids = new Map<string, EtcdMember>();
  let leader: string | undefined;
  for (const member of members) {
    const status = await askOf([member])('/v3/maintenance/status', {}).catch(() => null);
    if (status === null) continue;
    ids.set((status['header'] as { member_id: string }).member_id, member);
    leader = (status['leader'] as string | undefined) ?? leader;
  }
  const found = ids.get(leader ?? '');
  if (found === undefined) throw new Error('no member of etcd leads');
  return found;
}

/** One etcd for all tests of a file, which is started before them. To be called at its top. */
export function sharedEtcd(options: EtcdOptions = {}): { readonly etcd: Etcd } {
  const shared: { etcd: Etcd } = { etcd: null as unknown as Etcd };
  const ends: (() => unknown)[] = [];
  before(async () => {
    shared.etcd = await startEtcd({ after: (end) => ends.push(end as () => unknown) }, options);
  });
  after(async () => {
    for (const end of ends) await end();
  });
  return shared;
}
