/**
 * The endpoint process of one machine. It serves what `endpoint.json` in the machine's folder says, and listens there
 * for nudges of the agent; neither agent nor control plane is needed for it to go on. The same program is, by its
 * arguments, a further worker of such a process, or the successor that takes over its listening sockets.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createLogger } from '../platform/log.ts';
import { runEndpoint } from './endpoint-host.ts';
import { runWorker } from './endpoint-worker.ts';

const { values } = parseArgs({
  options: { dir: { type: 'string' }, worker: { type: 'string' }, successor: { type: 'boolean', default: false } },
});
const dir = values.dir!;
process.chdir(dir);
const { log } = createLogger({ name: 'endpoint', file: join(dir, 'endpoint.log'), level: 'info' });
process.on('uncaughtExceptionMonitor', (error) => log.error({ err: error }, 'The endpoint ends by a defect.'));

if (values.worker === undefined) await runEndpoint({ dir, isSuccessor: values.successor, log });
else runWorker(Number(values.worker));
