/**
 * The endpoint process of one machine. It serves what `endpoint.json` in the machine's folder says, and listens there
 * for nudges of the agent; neither agent nor control plane is needed for it to go on.
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLogger } from '../platform/log.ts';
import { identify } from '../platform/process-identity.ts';
import {
  ENDPOINT_CONFIG_FILE,
  ENDPOINT_SOCKET,
  type EndpointConfig,
  type FromEndpoint,
  type ToEndpoint,
} from '../protocol/endpoint-messages.ts';
import { Endpoint } from '../proxy/endpoint.ts';

/** How long clients have to end when the process is asked to end without a successor. */
const STOP_DRAIN_MS = 2_000;

const { values } = parseArgs({ options: { dir: { type: 'string' } } });
const dir = values.dir!;
process.chdir(dir);
const { log } = createLogger({ name: 'endpoint', file: join(dir, 'endpoint.log'), level: 'info' });
process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'the endpoint ends by a defect'));

const readConfig = (): EndpointConfig => JSON.parse(readFileSync(ENDPOINT_CONFIG_FILE, 'utf8')) as EndpointConfig;

let lastId = 0;
const endpoint = new Endpoint({
  engineVersion: '9.1.2',
  nextClientId: () => ++lastId,
  askOthers: async () => [],
});
await endpoint.serve(readConfig());

async function answer(message: ToEndpoint): Promise<FromEndpoint> {
  switch (message.do) {
    case 'reload':
      await endpoint.serve(readConfig());
      return { ok: true };
    case 'look':
      endpoint.look(message.database);
      return { ok: true };
    case 'status':
      return { ok: true, status: endpoint.status() };
    case 'hand-over':
      return { ok: false, error: 'not there yet' };
  }
}

rmSync(ENDPOINT_SOCKET, { force: true });
const control = createServer((socket) => {
  let text = '';
  socket.setEncoding('utf8');
  socket.on('error', () => {});
  socket.on('data', (chunk: string) => {
    text += chunk;
    const lines = text.split('\n');
    text = lines.pop()!;
    for (const line of lines) {
      answer(JSON.parse(line) as ToEndpoint).then(
        (reply) => socket.write(`${JSON.stringify(reply)}\n`),
        (error: Error) => socket.write(`${JSON.stringify({ ok: false, error: error.message })}\n`),
      );
    }
  });
});
control.listen(ENDPOINT_SOCKET);
writeFileSync('endpoint-process.json', JSON.stringify(identify(process.pid)), { mode: 0o600 });

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void endpoint.drain(STOP_DRAIN_MS).then(() => process.exit(0)));
}
