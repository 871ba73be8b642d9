/** Several servers on one store, each with a listener for other machines: they meet each other and machines over TLS. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { CreatedToken, FleetStatus } from '../../src/protocol/api.ts';
import { testEngine } from '../support/engine.ts';
import { startEtcd } from '../support/etcd.ts';
import { processesUnder } from '../support/leaks.ts';
import { eventually } from '../support/servers.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

interface Server {
  dir: string;
  url: string;
  process: ChildProcess;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

class Scene {
  readonly root = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-joined-servers-')));
  readonly env: NodeJS.ProcessEnv;
  readonly servers: Server[] = [];

  constructor(engine: string) {
    this.env = { ...process.env, VALKEEPER_ENGINE: engine };
  }

  spawn(dir: string, ...words: string[]): ChildProcess {
    mkdirSync(dir, { recursive: true });
    return spawn(LAUNCHER, [...words, '--data-dir', dir], { cwd: dir, env: this.env, stdio: 'ignore' });
  }

  async server(store: string, address: string): Promise<Server> {
    const dir = join(this.root, `server-${this.servers.length}`);
    const ports = { api: await freePort(), tls: await freePort() };
    const listen = ['--listen', `${address}:${ports.tls}`, '--api-port', `${ports.api}`];
    const server = {
      ...{ dir, url: `https://${address}:${ports.tls}` },
      process: this.spawn(dir, 'server', '--store', store, '--lease', '2', ...listen),
    };
    this.servers.push(server);
    return server;
  }

  /** A request to a server over TLS, as from elsewhere. */
  async ask<T>({ dir, url }: Server, method: string, path: string, body?: object): Promise<T> {
    const content = body === undefined ? '' : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${readFileSync(join(dir, 'token'), 'utf8').trim()}`,
      ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': content.length }),
    };
    const ca = readFileSync(join(dir, 'authority.pem'));
    const outgoing = request(url + path, { method, headers, ca, agent: false });
    outgoing.end(content);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const text = (await response.toArray()).join('');
    if (response.statusCode! >= 400) throw new Error(text);
    return JSON.parse(text) as T;
  }

  clear(): void {
    for (const { pid } of processesUnder(this.root)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended meanwhile
      }
    }
    rmSync(this.root, { recursive: true, force: true });
  }
}

test('a machine that joined by one server is sent to the one that leads, and goes on with the other', async (t: TestContext) => {
  const etcd = await startEtcd(t, { members: 1 });
  const scene = new Scene((await testEngine()).serverPath);
  t.after(() => scene.clear());
  const network = `127.${60 + (process.pid % 60)}.${process.pid % 250}`;
  const store = `etcd://${new URL(etcd.urls[0]!).host}/fleet`;
  const one = await scene.server(store, `${network}.1`);
  await eventually('the first leads', async () => {
    const { servers } = await scene.ask<FleetStatus>(one, 'GET', '/v1/status');
    return servers.leader === one.url;
  });
  const other = await scene.server(store, `${network}.2`);
  // Asked is the one that does not lead: it passes on, over mutual TLS.
  await eventually('both are there', async () => {
    const { servers } = await scene.ask<FleetStatus>(other, 'GET', '/v1/status');
    return servers.leader === one.url && servers.all.length === 2;
  });
  let token = '';
  // The leader hears of another server a moment after that one is in the store.
  await eventually('the line to join names both', async () => {
    const created = await scene.ask<CreatedToken>(other, 'POST', '/v1/machine-tokens', {});
    const [, urls = ''] = /--join (\S+)/.exec(created.command)!;
    token = created.token;
    return urls.split(',').sort().join() === [one.url, other.url].sort().join();
  });

  const home = join(scene.root, 'machine');
  // Of the two, the one that does not lead is asked first, by who joins and by who is told of no other.
  const words = ['--join', `${other.url},${one.url}`, '--token', token, '--name', 'alpha', '--memory', '256mb'];
  scene.spawn(home, 'agent', ...words, '--address', `${network}.11`);
  const isConnected = async (server: Server): Promise<boolean> => {
    const { machines } = await scene.ask<FleetStatus>(server, 'GET', '/v1/status');
    return machines.some(({ name, connected }) => name === 'alpha' && connected);
  };
  await eventually('it is connected', () => isConnected(one));
  one.process.kill('SIGKILL');
  await eventually('the other leads, and has the machine', () => isConnected(other));
});
