/** An agent as a process of its own, so that a test can kill it. Its options are the first argument, as JSON. */
import { startAgent } from '../../src/agent/agent.ts';
import type { AgentOptions } from '../../src/agent/agent-options.ts';
import { createLogger } from '../../src/platform/log.ts';

const { logFile, ...options } = JSON.parse(process.argv[2]!) as Omit<AgentOptions, 'log'> & { logFile: string };
const { log } = createLogger({ name: 'agent', file: logFile, level: 'info' });
const agent = await startAgent({ ...options, log });
process.on('SIGHUP', () => void agent.readCredentials().catch((error: Error) => console.error(error.message)));
process.on('SIGTERM', () => void agent.close());
process.exitCode = (await agent.closed) === 'shut-down' ? 0 : 3;
