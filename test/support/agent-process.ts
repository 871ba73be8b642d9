/** An agent as a process of its own, so that a test can kill it. Its options are the first argument, as JSON. */
import { readFileSync } from 'node:fs';
import { startAgent } from '../../src/agent/agent.ts';
import type { AgentOptions } from '../../src/agent/agent-options.ts';
import type { ForkPorts } from '../../src/agent/fork-keeper.ts';
import type { IfEnded } from '../../src/plan/pulse.ts';
import { createLogger } from '../../src/platform/log.ts';

/** By what it decides about snapshots and new logs. */
export interface ForkWish {
  /** Holds the bytes of memory that are free. */
  memoryFile: string;
  /** Its clock is ahead of that of the engines. */
  aheadMs: number;
}

type Wish = Omit<AgentOptions, 'log' | 'ifEnded' | 'forks'> & { logFile: string; ifEnded?: IfEnded; forks?: ForkWish };

const { logFile, ifEnded, forks, ...options } = JSON.parse(process.argv[2]!) as Wish;
const { log } = createLogger({ name: 'agent', file: logFile, level: 'info' });
const agent = await startAgent({
  ...options,
  log,
  ...(ifEnded ? { ifEnded: async () => ifEnded } : {}),
  ...(forks ? { forks: portsOf(forks) } : {}),
});
process.on('SIGHUP', () => void agent.readCredentials().catch((error: Error) => console.error(error.message)));
process.on('SIGTERM', () => void agent.close());
process.exitCode = (await agent.closed) === 'shut-down' ? 0 : 3;

function portsOf({ memoryFile, aheadMs }: ForkWish): ForkPorts {
  return { availableBytes: () => Number(readFileSync(memoryFile, 'utf8')), wallNow: () => Date.now() + aheadMs };
}
