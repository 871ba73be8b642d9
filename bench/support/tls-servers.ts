/** Two nodes, alike but for TLS, and what each costs. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectPlain, type Socket } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { tlsDirectives } from '../../src/domain/tls-directives.ts';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { CONTROL, LOCALHOST, machine, testAuthority, writeTlsFiles } from '../../test/support/trust.ts';
import { freePort, runChild, startChild } from './children.ts';
import { accepts } from './formation.ts';
import { parseBenchmark } from './load-output.ts';
import { cpuMs, pssBytes } from './process-cost.ts';

const DEADLINE_MS = 120_000;
const CONNECTIONS = 50;
const KEYS = 100_000;
const VALUE_BYTES = 64;
const AT_ONCE = 8;
const PING = '*1\r\n$4\r\nPING\r\n';

export interface Server {
  name: 'plain' | 'tls';
  isTls: boolean;
  port: number;
  pid: number;
  /** For valkey-benchmark. */
  flags: readonly string[];
  /** A new connection; `session` is one that an earlier connection has got. */
  open(session: Buffer | undefined): Promise<Socket>;
}

export async function startServers(serverPath: string, scratch: string): Promise<Server[]> {
  const authority = await testAuthority();
  const files = writeTlsFiles(scratch, await authority.credentials(machine('alpha')));
  const client = await authority.credentials(CONTROL);
  const own = { cert: join(scratch, 'client.pem'), key: join(scratch, 'client.key') };
  writeFileSync(own.cert, client.certificate);
  writeFileSync(own.key, client.key, { mode: 0o600 });
  const flags = ['--tls', '--cacert', files.authorities, '--cert', own.cert, '--key', own.key];
  const start = async (name: Server['name'], lines: (port: number) => readonly (readonly string[])[]) => {
    const port = await freePort();
    const fixed = ['--bind', LOCALHOST, '--save', '', '--appendonly', 'no', '--loglevel', 'warning'];
    const args = lines(port).flatMap(([directive, ...values]) => [`--${directive}`, ...values]);
    const { pid } = startChild(serverPath, [...fixed, ...args], scratch);
    await accepts({ host: LOCALHOST, port });
    return { name, port, pid: pid! };
  };
  const plain = await start('plain', (port) => [['port', String(port)]]);
  const tls = await start('tls', (port) => tlsDirectives(files, port));
  return [
    { ...plain, isTls: false, flags: [], open: () => openPlain(plain.port) },
    { ...tls, isTls: true, flags, open: (session) => openTls(tls.port, client, session) },
  ];
}

async function openPlain(port: number): Promise<Socket> {
  const socket = connectPlain({ host: LOCALHOST, port, noDelay: true });
  await once(socket, 'connect');
  return socket;
}

async function openTls(port: number, client: Credentials, session: Buffer | undefined): Promise<Socket> {
  const options = clientOptions(client, { kind: 'machine' });
  const socket = connectTls({ host: LOCALHOST, port, ...options, ...(session === undefined ? {} : { session }) });
  await once(socket, 'secureConnect');
  if (socket.isSessionReused() !== (session !== undefined)) throw new Error('the session was not taken up again');
  return socket;
}

/** Processor time of the server for an operation, and how many a second there were. */
export async function operationCost(
  program: string,
  { port, pid, flags }: Server,
  command: 'GET' | 'SET',
  pipeline: number,
  operations: number,
): Promise<{ cpuUs: number; perSecond: number }> {
  const how = [
    '-c',
    `${CONNECTIONS}`,
    '-P',
    `${pipeline}`,
    '-n',
    `${operations}`,
    '-r',
    `${KEYS}`,
    '-d',
    `${VALUE_BYTES}`,
  ];
  const what = command === 'GET' ? ['GET', 'key:__rand_int__'] : ['SET', 'key:__rand_int__', '__data__'];
  const before = cpuMs(pid);
  const output = await runChild(
    program,
    ['-h', LOCALHOST, '-p', `${port}`, ...flags, '--csv', ...how, '--', ...what],
    DEADLINE_MS,
  );
  return { cpuUs: ((cpuMs(pid) - before) * 1000) / operations, perSecond: parseBenchmark(output).perSecond };
}

/** Processor time of the server, in microseconds, for a connection that is opened, used once and closed. */
export async function connectionCost(server: Server, count: number, resumed: boolean): Promise<number> {
  let session: Buffer | undefined;
  if (resumed) {
    const first = await server.open(undefined);
    first.on('session', (ticket: Buffer) => (session = ticket));
    await ping(first);
    first.destroy();
    if (session === undefined) throw new Error('the server gave no session');
  }
  const before = cpuMs(server.pid);
  let left = count;
  const visitor = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await server.open(session);
      await ping(socket);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, visitor));
  return ((cpuMs(server.pid) - before) * 1000) / count;
}

async function ping(socket: Socket): Promise<void> {
  socket.write(PING);
  const [data] = (await once(socket, 'data')) as [Buffer];
  if (String(data) !== '+PONG\r\n') throw new Error(`not the answer to PING: ${data}`);
}

/** Memory of the server for a connection that has been used and is idle, in bytes. */
export async function idleBytes(server: Server, count: number): Promise<number> {
  const before = pssBytes(server.pid);
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const socket = await server.open(undefined);
    sockets.push(socket);
    await ping(socket);
  }
  const bytes = pssBytes(server.pid) - before;
  for (const socket of sockets) socket.destroy();
  return bytes / count;
}
