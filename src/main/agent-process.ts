/**
 * The program of the agents that a server keeps running: `valkeeper agent` without the command line, which would cost
 * each of them 6 MB for as long as it runs. An error goes to standard output, where `up` looks for it.
 */
import { parseArgs } from 'node:util';
import { ERROR_KINDS, toErrorDocument } from '../domain/errors.ts';
import { runAgent } from './agent.ts';

const { values } = parseArgs({ options: { machine: { type: 'string' }, 'data-dir': { type: 'string' } } });
try {
  await runAgent({ dataDir: values['data-dir']! }, { machine: values.machine! });
} catch (error) {
  const document = toErrorDocument(error);
  console.log(JSON.stringify({ error: document }));
  console.error(error);
  process.exitCode = ERROR_KINDS[document.kind].exit;
}
