/** What is compared: twemproxy, the endpoint, and the engine without anything before it. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathsIn } from '../../src/main/data-dir.ts';
import { freePort, startChild } from './children.ts';
import type { Fleet } from './fleet.ts';
import { type Address, accepts } from './formation.ts';
import { parseAddress } from './load-output.ts';
import { familyOf } from './process-cost.ts';

export interface Target {
  id: 'twemproxy' | 'endpoint' | 'endpoint-2' | 'engine';
  name: string;
  address: Address;
  /** Whose processor time and memory count; asked each time, because workers may come and go. */
  pids: () => number[];
  /** Servers behind it that need the data one by one; null: the data goes through the target itself. */
  shards: readonly Address[] | null;
}

const SHARDS = 3;
const HOST = '127.0.0.1';
/** Twemproxy's own default; larger ones make 64 KB values cheaper, and each connection dearer. */
export const MBUF_BYTES = 16_384;

async function startServer(serverPath: string, scratch: string): Promise<{ address: Address; pid: number }> {
  const address = { host: HOST, port: await freePort() };
  const settings = [
    '--port',
    `${address.port}`,
    '--bind',
    HOST,
    '--save',
    '',
    '--appendonly',
    'no',
    '--loglevel',
    'warning',
  ];
  const server = startChild(serverPath, settings, scratch);
  await accepts(address);
  return { address, pid: server.pid! };
}

export async function startShards(serverPath: string, scratch: string): Promise<Address[]> {
  const shards: Address[] = [];
  while (shards.length < SHARDS) shards.push((await startServer(serverPath, scratch)).address);
  return shards;
}

export async function startEngine(serverPath: string, scratch: string): Promise<Target> {
  const { address, pid } = await startServer(serverPath, scratch);
  return { id: 'engine', name: 'the engine directly', address, pids: () => [pid], shards: null };
}

export async function startTwemproxy(shards: readonly Address[], scratch: string): Promise<Target> {
  const address = { host: HOST, port: await freePort() };
  const file = join(scratch, 'twemproxy.yml');
  const servers = shards.map(({ host, port }) => `   - ${host}:${port}:1\n`).join('');
  const pool = `bench:
  listen: ${address.host}:${address.port}
  hash: fnv1a_64
  distribution: ketama
  redis: true
  servers:
${servers}`;
  writeFileSync(file, pool);
  const stats = ['-a', HOST, '-s', `${await freePort()}`];
  const args = ['-c', file, '-m', `${MBUF_BYTES}`, '-o', join(scratch, 'twemproxy.log'), '-v', '0', ...stats];
  const child = startChild('nutcracker', args, scratch);
  child.once('error', () => {
    throw new Error('twemproxy is needed: on Debian, apt-get install nutcracker');
  });
  await accepts(address);
  return { id: 'twemproxy', name: 'twemproxy', address, pids: () => [child.pid!], shards };
}

/** Any other proxy in the place of the endpoint: a command with `{port}` and `{shards}` (ports, with commas) in it. */
export async function startProxy(command: string, shards: readonly Address[], scratch: string): Promise<Target> {
  const address = { host: HOST, port: await freePort() };
  const ports = shards.map(({ port }) => port).join(',');
  const words = command.replaceAll('{port}', `${address.port}`).replaceAll('{shards}', ports).split(/\s+/);
  const child = startChild(words[0]!, words.slice(1), scratch);
  await accepts(address);
  return { id: 'endpoint', name: 'the proxy given', address, pids: () => familyOf(child.pid!), shards };
}

/** An endpoint that runs already. */
export function runningEndpoint(id: 'endpoint' | 'endpoint-2', where: string, pids: string): Target {
  const roots = pids.split(',').map(Number);
  const family = (): number[] => [...new Set(roots.flatMap(familyOf))];
  if (family().length === 0) throw new Error(`no process ${pids}`);
  const name = `endpoint, ${family().length === 1 ? '1 process' : `${family().length} processes`}`;
  return { id, name, address: parseAddress(where), pids: family, shards: null };
}

/** The endpoint of a database of its own, in a fleet of one machine. Null when it does not run with so many workers. */
export async function fleetEndpoint(fleet: Fleet, workers: 1 | 2): Promise<Target | null> {
  await fleet.up('--machines', '1');
  const spec = ['--shards', `${SHARDS}`, '--replicas', '0', '--memory', '1gb', '--persistence', 'none', '--no-auth'];
  await fleet.run('db', 'create', 'bench', ...spec);
  const { endpoint } = JSON.parse((await fleet.run('db', 'show', 'bench', '--json')).stdout) as { endpoint?: unknown };
  const file = join(pathsIn(fleet.dataDir).machine('machine-1'), 'endpoint-process.json');
  if (endpoint === undefined || !existsSync(file)) throw new Error('the fleet has no endpoint');
  const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number };
  const address = parseAddress(endpoint);
  await accepts(address);
  if (familyOf(pid).length !== workers) return null;
  const name = `endpoint, ${workers} worker${workers === 1 ? '' : 's'}`;
  return { id: workers === 1 ? 'endpoint' : 'endpoint-2', name, address, pids: () => familyOf(pid), shards: null };
}

/** The environment that makes a fleet's endpoint run with so many workers. */
export const workersEnv = (workers: number): NodeJS.ProcessEnv => ({ VALKEEPER_ENDPOINT_WORKERS: `${workers}` });
