/** The API while its server may be killed: what gets no answer is asked again until somebody answers. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../../src/cli/client.ts';
import { ValkeeperError } from '../../../src/domain/errors.ts';
import type { CourseClient } from '../course.ts';
import type { Step } from './pairs.ts';

const PATIENCE_MS = 60_000;
const PAUSE_MS = 20;
const UNANSWERED = new Set(['not_running', 'no_answer']);
/** A change is refused while a primary is away, or an agent that is to make nodes, as one is that was just killed. */
const NOT_NOW = new Set([...UNANSWERED, 'reshard_refused', 'agent_away']);
const STEPS = { pause: 'paused', resume: 'resumed', cancel: 'cancelled' } as const;

export class PatientClient implements CourseClient {
  readonly #client: () => Client;
  readonly #asking: (step: Step) => void;

  /** `asking` is called when a change is about to be asked for. */
  constructor(client: () => Client, asking: (step: Step) => void) {
    this.#client = client;
    this.#asking = asking;
  }

  database: Client['database'] = (name) => this.#patient(() => this.#client().database(name));
  events: Client['events'] = (query) => this.#patient(() => this.#client().events(query));

  /** The same again changes nothing. */
  update: Client['update'] = (name, body) => {
    this.#asking('accepted');
    return this.#patient(() => this.#client().update(name, body), NOT_NOW);
  };

  /** What was asked without an answer may have been done: cancelling again would be refused. */
  reshard: Client['reshard'] = (name, body) => {
    this.#asking(STEPS[body.action]);
    return this.#patient(async (tries) => {
      if (tries > 1 && body.action === 'cancel') {
        const status = await this.#client().database(name);
        if (status.reshard?.cancels) return status;
      }
      return await this.#client().reshard(name, body);
    });
  };

  async #patient<T>(ask: (tries: number) => Promise<T>, again: ReadonlySet<string> = UNANSWERED): Promise<T> {
    const deadline = performance.now() + PATIENCE_MS;
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask(tries);
      } catch (error) {
        const isOpen = error instanceof ValkeeperError && again.has(error.code);
        if (!isOpen || performance.now() > deadline) throw error;
        await sleep(PAUSE_MS);
      }
    }
  }
}
