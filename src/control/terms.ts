/**
 * A control plane for each term: made when this server begins to lead, from what then stands in the store, and closed
 * when the term ends; agents and nodes go on. Between the two its changes carry the check of the term, and its words to
 * agents and nodes are not sent once the term is over by our own clock.
 */
import { ValkeeperError } from '../domain/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { openEventLog } from '../store/events.ts';
import type { Store } from '../store/store.ts';
import { Agents } from './agents.ts';
import { createControlPlane, type RunningControlPlane } from './create-control-plane.ts';
import { fencedStore } from './fenced-store.ts';
import type { Leadership, Term } from './leader.ts';
import type { ControlPlaneOptions } from './plane-options.ts';

const RETRY_MS = 300;

export interface TermsOptions {
  store: Store;
  leadership: Leadership;
  log: Logger;
  clock: Clock;
  /** URL of this server's API, for the history. */
  url: string;
  /** For each control plane. */
  plane: Omit<ControlPlaneOptions, 'store' | 'events' | 'agents' | 'log' | 'clock' | 'mayAct'>;
  /** This server has begun to lead, and serves; or it leads no longer. */
  changed: () => void;
}

/** What there is while this server leads. */
export interface Leading {
  readonly term: Term;
  readonly agents: Agents;
  readonly plane: RunningControlPlane;
}

/** Follows `leadership` from now on. */
export class Terms {
  readonly #options: TermsOptions;
  /** Terms that have not ended in all their parts. */
  readonly #ending = new Set<Promise<void>>();
  #leading: Leading | null = null;

  constructor(options: TermsOptions) {
    this.#options = options;
    const { leadership } = options;
    leadership.on('gained', (term) => void this.#begin(term));
    leadership.on('lost', () => this.#end());
    if (leadership.term) void this.#begin(leadership.term);
  }

  /** The control plane of the present term; null before it is made, and once the term is over. */
  get leading(): Leading | null {
    return this.#leading && this.#isNow(this.#leading.term) ? this.#leading : null;
  }

  /** Resolves when nothing of any term is under way. Close the leadership first. */
  async close(): Promise<void> {
    this.#end();
    await Promise.all(this.#ending);
  }

  #isNow = (term: Term): boolean => this.#options.leadership.term?.number === term.number;

  async #begin(term: Term): Promise<void> {
    const { clock, log } = this.#options;
    while (this.#isNow(term)) {
      try {
        await this.#lead(term);
        return;
      } catch (error) {
        if (error instanceof ValkeeperError && error.code === 'not_leader') return;
        log.error({ err: error, term: term.number }, 'The control plane could not begin; it is tried again.');
        await clock.sleep(RETRY_MS);
      }
    }
  }

  async #lead(term: Term): Promise<void> {
    const { changed, clock, log, plane: options, url } = this.#options;
    const mayAct = (): boolean => this.#isNow(term);
    const store = fencedStore(this.#options.store, term);
    const events = await openEventLog(store);
    const message = `The server at ${url} leads now, in term ${term.number}.`;
    const details = { server: url, term: term.number };
    await events.append({ kind: 'leader_elected', severity: 'info', message, details }, clock.now());
    const agents = new Agents(clock, mayAct);
    const plane = await createControlPlane({ ...options, store, events, agents, log, clock, mayAct });
    const leading: Leading = { term, agents, plane };
    if (!mayAct()) return this.#close(leading);
    this.#leading = leading;
    changed();
  }

  #end(): void {
    const leading = this.#leading;
    if (leading === null) return;
    this.#leading = null;
    this.#close(leading);
    this.#options.changed();
  }

  #close({ agents, plane, term }: Leading): void {
    agents.removeAllListeners(); // that they leave now is no news of theirs
    const closed = plane
      .close()
      .catch((error: unknown) => this.#options.log.error({ err: error, term: term.number }, 'A term did not end well.'))
      .finally(() => this.#ending.delete(closed));
    this.#ending.add(closed);
    agents.close(); // what is waited for from them ends, too
  }
}
