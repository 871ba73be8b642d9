/** Processes of the engine on hosts, without Valkeeper: started with a command line, and again after their end. */
import type { ChildProcess } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { type Host, makeHosts } from '../../test/support/hosts.ts';
import { hasEnded } from './processes.ts';
import type { Node } from './system.ts';
import { until } from './wait.ts';

/** A process that is kept in a place: what it is called with, and which process it is now. */
interface Place {
  host: Host;
  folder: string;
  words: string[];
  child: ChildProcess | null;
}

/** As a database of Valkeeper's has it, where nothing is said. */
export const COMMON = ['--bind', '0.0.0.0', '--protected-mode', 'no', '--daemonize', 'no', '--appendonly', 'yes'];
const CONNECTION = { connectTimeoutMs: 2_000, commandTimeoutMs: 2_000, maxQueued: 10_000 };

export class PlainServers {
  readonly hosts: readonly Host[];
  readonly #dir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-plain-')));
  readonly #serverPath: string;
  readonly #places = new Map<string, Place>();

  /** On the first of so many hosts nothing runs, as the server of Valkeeper's would; on the last, clients. */
  constructor(t: { after: (clean: () => unknown) => void }, hosts: number, serverPath: string) {
    this.hosts = makeHosts(t as never, hosts);
    this.hosts.at(-1)!.plugIn();
    this.#serverPath = serverPath;
    t.after(() => rmSync(this.#dir, { recursive: true, force: true }));
  }

  /** The folder of a process, and the engine's program there under this name. */
  prepare(name: string, program = 'valkey-server'): { folder: string; program: string } {
    const folder = join(this.#dir, name);
    mkdirSync(folder, { recursive: true });
    const path = join(this.#dir, program);
    if (!existsSync(path)) copyFileSync(this.#serverPath, path);
    return { folder, program: path };
  }

  /** Starts the process `name`, and lets `start` do so again. */
  add(name: string, machine: number, folder: string, words: readonly string[]): void {
    this.#places.set(name, { host: this.hosts[machine]!, folder, words: [...words], child: null });
    this.start(name);
  }

  /** Starts it where it does not run. */
  start(name: string): void {
    const place = this.#places.get(name)!;
    if (place.child !== null && !hasEnded(place.child.pid!)) return;
    place.child = place.host.spawn(['sh', '-c', `cd '${place.folder}' && exec "$@"`, 'sh', ...place.words]);
  }

  /** Starts whatever was added for this machine. */
  startAll(machine: number): void {
    for (const [name, { host }] of this.#places) if (host === this.hosts[machine]) this.start(name);
  }

  pid(name: string): number {
    return this.#places.get(name)!.child!.pid!;
  }

  connect({ host, port }: Pick<Node, 'host' | 'port'>): NodeConnection {
    return new NodeConnection({ host, port, ...CONNECTION });
  }

  /** A node that answers. */
  async answering(node: Pick<Node, 'host' | 'port'>): Promise<void> {
    await until(`${node.host}:${node.port} answers`, async () => {
      const connection = this.connect(node);
      try {
        return (await connection.command('PING')) === 'PONG' ? true : null;
      } finally {
        connection.close();
      }
    });
  }
}
