/** An agent as a process of its own, so that a test can kill it. Its options are the first argument, as JSON. */
import { startAgent } from '../../src/agent/agent.ts';
import type { AgentOptions } from '../../src/agent/agent-options.ts';
import type { IfEnded } from '../../src/plan/pulse.ts';
import { createLogger } from '../../src/platform/log.ts';

type Wish = Omit<AgentOptions, 'log' | 'ifEnded'> & { logFile: string; ifEnded?: IfEnded };

const { logFile, ifEnded, ...options } = JSON.parse(process.argv[2]!) as Wish;
const { log } = createLogger({ name: 'agent', file: logFile, level: 'info' });
const agent = await startAgent({ ...options, log, ...(ifEnded ? { ifEnded: async () => ifEnded } : {}) });
process.on('SIGHUP', () => void agent.readCredentials().catch((error: Error) => console.error(error.message)));
process.on('SIGTERM', () => void agent.close());
process.exitCode = (await agent.closed) === 'shut-down' ? 0 : 3;
