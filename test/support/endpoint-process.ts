/**
 * A stand-in for the endpoint process, for tests of who keeps it: it listens where it is told to, and says what it was
 * told in the file `endpoint-heard.jsonl`. Clients get a greeting with its process id.
 */
import { spawn } from 'node:child_process';
import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { identify } from '../../src/platform/process-identity.ts';
import {
  ENDPOINT_CONFIG_FILE,
  ENDPOINT_SOCKET,
  type EndpointConfig,
  type EndpointStatus,
  type FromEndpoint,
  type ToEndpoint,
} from '../../src/protocol/endpoint-messages.ts';

const PROCESS_FILE = 'endpoint-process.json';
const startedAt = Date.now();
const servers = new Map<number, { server: Server; problem: string | null }>();
let config: EndpointConfig;

const servesNow = (): boolean => JSON.parse(readFileSync(PROCESS_FILE, 'utf8')).pid === process.pid;

async function reload(): Promise<void> {
  config = JSON.parse(readFileSync(ENDPOINT_CONFIG_FILE, 'utf8')) as EndpointConfig;
  for (const [port, { server }] of servers) {
    if (config.databases.some((database) => database.port === port)) continue;
    server.close();
    servers.delete(port);
  }
  for (const { port } of config.databases) if (!servers.get(port)?.server.listening) await listen(port);
}

function listen(port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`process ${process.pid}\n`);
  });
  servers.set(port, { server, problem: null });
  return new Promise((resolve) => {
    server.once('error', ({ message }) => {
      servers.set(port, { server, problem: message });
      resolve();
    });
    server.listen({ host: config.address, port, exclusive: true }, resolve);
  });
}

const status = (): EndpointStatus => ({
  pid: process.pid,
  startedAt,
  draining: !servesNow(),
  databases: config.databases.map(({ name, uid, port }) => ({
    name,
    uid,
    port,
    clients: 0,
    problem: servers.get(port)?.problem ?? null,
  })),
});

async function answer(question: ToEndpoint): Promise<FromEndpoint> {
  if (question.do !== 'status') appendFileSync('endpoint-heard.jsonl', `${JSON.stringify(question)}\n`);
  if (question.do === 'status') return { ok: true, status: status() };
  if (question.do === 'reload') await reload();
  if (question.do === 'hand-over') {
    for (const { server } of servers.values()) server.close();
    spawn(process.execPath, process.argv.slice(1), { detached: true, stdio: 'ignore' }).unref();
    while (servesNow()) await pause(5);
    setTimeout(() => process.exit(0), question.drainMs);
  }
  return { ok: true };
}

process.on('SIGTERM', () => process.exit(0));
await reload();
if (config!.databases.some(({ name }) => name === 'fails')) throw new Error('it was made to fail');
rmSync(ENDPOINT_SOCKET, { force: true });
const control = createServer((socket) => {
  socket.on('error', () => {});
  createInterface({ input: socket }).on('line', (line) => {
    void answer(JSON.parse(line) as ToEndpoint).then((reply) => socket.write(`${JSON.stringify(reply)}\n`));
  });
});
control.listen(ENDPOINT_SOCKET, () => {
  writeFileSync(`${PROCESS_FILE}.new`, JSON.stringify(identify(process.pid)), { mode: 0o600 });
  renameSync(`${PROCESS_FILE}.new`, PROCESS_FILE);
});
