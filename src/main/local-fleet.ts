/**
 * Keeps an agent running for each local machine. Agents are processes of their own that outlive the server; one that
 * already runs is left alone, one that ends is started again, after a pause that grows while it keeps ending.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from '../platform/log.ts';
import { isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import { spawnDetached } from '../platform/spawn-detached.ts';
import { pathsIn } from './data-dir.ts';
import type { LocalMachine } from './fleet-file.ts';
import { makeFolder } from './prepare.ts';
import { programFile } from './processes.ts';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** An agent that ran this long had started well: the next pause is the first again. */
const RAN_WELL_MS = 10_000;
/** How often an agent that we did not start is looked at. */
const WATCH_MS = 500;

export class LocalFleet {
  readonly #keepers: AgentKeeper[];

  constructor(dataDir: string, machines: readonly LocalMachine[], log: Logger) {
    this.#keepers = machines.map(({ name }) => new AgentKeeper(dataDir, name, log));
  }

  /** Starts what does not run, now and from now on. */
  keep(): void {
    for (const keeper of this.#keepers) keeper.keep();
  }

  /** Leaves the agents as they are: what ends stays ended. */
  release(): void {
    for (const keeper of this.#keepers) keeper.release();
  }
}

class AgentKeeper {
  readonly #dataDir: string;
  readonly #machine: string;
  readonly #log: Logger;
  #pauseMs = FIRST_PAUSE_MS;
  #keeping = false;
  #timer: NodeJS.Timeout | null = null;
  #childRuns = false;

  constructor(dataDir: string, machine: string, log: Logger) {
    this.#dataDir = dataDir;
    this.#machine = machine;
    this.#log = log;
  }

  keep(): void {
    this.#keeping = true;
    this.#look();
  }

  release(): void {
    this.#keeping = false;
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #look(): void {
    this.#timer = null;
    if (!this.#keeping || this.#childRuns) return;
    if (recordedAgent(this.#dataDir, this.#machine)) this.#lookAgainIn(WATCH_MS);
    else this.#start();
  }

  #lookAgainIn(ms: number): void {
    if (this.#keeping) this.#timer = setTimeout(() => this.#look(), ms);
  }

  #start(): void {
    const folder = pathsIn(this.#dataDir).machine(this.#machine);
    makeFolder(folder);
    const startedAt = performance.now();
    const child = spawnDetached(
      programFile('agent-process'),
      ['--machine', this.#machine, '--data-dir', this.#dataDir],
      {
        cwd: folder,
        stdout: join(folder, 'agent.out'),
        stderr: join(folder, 'agent.err'),
      },
    );
    this.#childRuns = true;
    child.once('error', (error) => this.#ended(startedAt, error.message));
    child.once('exit', (code, signal) => this.#ended(startedAt, signal ?? `exit code ${code}`));
  }

  #ended(startedAt: number, how: string): void {
    this.#childRuns = false;
    if (!this.#keeping) return;
    if (performance.now() - startedAt >= RAN_WELL_MS) this.#pauseMs = FIRST_PAUSE_MS;
    const machine = this.#machine;
    this.#log.warn({ machine, how, pauseMs: this.#pauseMs }, 'an agent ended and is started again after a pause');
    this.#lookAgainIn(this.#pauseMs);
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }
}

/** The agent that says it runs on a machine, if it does. */
export function recordedAgent(dataDir: string, machine: string): ProcessIdentity | null {
  try {
    const path = join(pathsIn(dataDir).machine(machine), 'agent.json');
    const agent = JSON.parse(readFileSync(path, 'utf8')) as ProcessIdentity;
    return isRunning(agent) ? agent : null;
  } catch {
    return null; // none has run there yet
  }
}
