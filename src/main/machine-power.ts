/**
 * A local machine without power, as the others see it: its agent, endpoint and nodes stop all at once and say nothing
 * any more, not even that their connections are closed. They are ended when the power is back: then nothing they had
 * in memory is left, and the server starts the agent anew, on the disk as it is.
 */
import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { ProcessIdentity } from '../platform/process-identity.ts';
import { pathsIn } from './data-dir.ts';
import { recordedAgent } from './local-fleet.ts';
import { processesIn } from './processes.ts';

/** The power of the machines in one data directory. */
export class MachinePower {
  readonly #dataDir: string;
  /** Machines without it; each with what gives it back should this process end. */
  readonly #dark = new Map<string, () => void>();

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
  }

  /** @returns how many processes stopped. @throws RangeError when no agent of the machine runs there */
  cut(machine: string): number {
    const agent = recordedAgent(this.#dataDir, machine);
    if (!agent) throw new RangeError(`no agent of ${machine} runs in ${this.#dataDir}`);
    const onExit = (): void => this.restore(machine);
    this.#dark.set(machine, onExit);
    process.on('exit', onExit);
    signal([agent], 'SIGSTOP'); // the first: it would start anew what it sees ending
    const processes = processesOf(this.#dataDir, machine);
    signal(processes, 'SIGSTOP');
    return processes.length;
  }

  /** Nothing, if the machine has power. */
  restore(machine: string): void {
    const onExit = this.#dark.get(machine);
    if (!onExit) return;
    this.#dark.delete(machine);
    process.off('exit', onExit);
    signal(processesOf(this.#dataDir, machine), 'SIGKILL');
  }
}

/** The folders of nodes on the machine's disk, those that are being removed among them. */
export const nodeFolders = (dataDir: string, machine: string): string[] =>
  readdirSync(join(pathsIn(dataDir).machine(machine), 'nodes'));

function processesOf(dataDir: string, machine: string): ProcessIdentity[] {
  const folder = pathsIn(dataDir).machine(machine);
  return processesIn(dataDir).filter(({ pid }) => {
    try {
      return `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${folder}/`);
    } catch {
      return false; // it has ended meanwhile
    }
  });
}

function signal(processes: readonly ProcessIdentity[], name: 'SIGSTOP' | 'SIGKILL'): void {
  for (const { pid } of processes) {
    try {
      process.kill(pid, name);
    } catch {
      // it has ended meanwhile
    }
  }
}
