/**
 * Tells every agent what it is to know: when it comes and whenever that changes, again until it has been heard. What it
 * was told last is compared with what it is to know now, so nobody needs to say what has changed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { AgentOperation, AgentRequests } from '../protocol/agent-messages.ts';
import type { Agents, Machine } from './agents.ts';

/** Several changes in a row are told as one. */
const GATHER_MS = 10;
const RETRY_MS = 1_000;
const TIMEOUT_MS = 10_000;

/** What all tellers need. */
export interface TellerSurroundings {
  agents: Agents;
  clock: Clock;
  log: Logger;
}

export interface TellerOptions<O extends AgentOperation> extends TellerSurroundings {
  operation: O;
  /** Called once for all; then for each connected machine: what its agent is to know, null when it is told nothing. */
  wanted: (machines: readonly Machine[]) => (machine: string) => AgentRequests[O]['args'] | null;
  /** The agent has taken it. */
  heard?: (machine: string, args: AgentRequests[O]['args'], result: AgentRequests[O]['result']) => void;
}

export class Teller<O extends AgentOperation> {
  readonly #options: TellerOptions<O>;
  /** What each machine's agent has heard; nothing of one that has just come. */
  readonly #heard = new Map<string, AgentRequests[O]['args']>();
  #endTimer: EndTimer | null = null;
  #telling = false;
  #again = false;
  #closed = false;

  constructor(options: TellerOptions<O>) {
    this.#options = options;
  }

  /** Its agent came or went: whatever it had heard, it is told anew. */
  forget(machine: string): void {
    this.#heard.delete(machine);
  }

  /** Something of what agents are to know may have changed. */
  changed(): void {
    this.#tellIn(GATHER_MS);
  }

  close(): void {
    this.#closed = true;
    this.#endTimer?.();
  }

  #tellIn(delayMs: number): void {
    if (this.#closed) return;
    if (this.#telling) {
      this.#again = true;
      return;
    }
    this.#endTimer?.();
    this.#endTimer = this.#options.clock.timer(delayMs, () => void this.#tell());
  }

  async #tell(): Promise<void> {
    const { agents, wanted } = this.#options;
    this.#telling = true;
    const machines = agents.machines();
    const wantedOf = wanted(machines);
    const outcomes = await Promise.all(
      machines.filter(({ connected }) => connected).map(({ name }) => this.#tellOne(name, wantedOf(name))),
    );
    this.#telling = false;
    const again = this.#again;
    this.#again = false;
    if (again) this.#tellIn(GATHER_MS);
    else if (outcomes.includes(false)) this.#tellIn(RETRY_MS);
  }

  /** @returns whether nothing is left to be told to it */
  async #tellOne(machine: string, args: AgentRequests[O]['args'] | null): Promise<boolean> {
    if (args === null || isDeepStrictEqual(this.#heard.get(machine), args)) return true;
    const { agents, heard, log, operation } = this.#options;
    try {
      const result = await agents.request(machine, operation, args, TIMEOUT_MS);
      this.#heard.set(machine, args);
      if (!this.#closed) heard?.(machine, args, result);
      return true;
    } catch (error) {
      const isAway = agents.machines().every(({ name, connected }) => name !== machine || !connected);
      if (!isAway && !this.#closed)
        log.warn({ machine, operation, err: error }, 'An agent did not take what it was told.');
      return isAway;
    }
  }
}
