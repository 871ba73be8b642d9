/**
 * What this server shows of itself: a certificate of the kind `control`, made at its start, with a key that is on no
 * disk, and renewed in good time by the authority, which is here.
 */
import type { Clock, EndTimer } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import { type Credentials, validityOf } from '../trust/credentials.ts';
import { renewAt, retryAfterMs } from '../trust/renewal.ts';
import { createRequest } from '../trust/request.ts';
import type { FleetAuthority } from './fleet-authority.ts';

/** How often it is looked whether it is time: a clock may jump, a process be held. */
const LOOK_MS = 60_000;
const IDENTITY = { kind: 'control' } as const;

export interface ControlCredentialsOptions {
  authority: FleetAuthority;
  /** Under which the server is reached. */
  addresses: readonly string[];
  hostNames: readonly string[];
  clock: Clock;
  log: Logger;
  validityMs?: number | undefined;
  /** From 0 to 1; see `renewAt`. */
  jitter?: number;
  lookMs?: number;
}

export class ControlCredentials {
  readonly #options: ControlCredentialsOptions;
  readonly #listeners = new Set<(credentials: Credentials) => void>();
  #current: Credentials;
  #failures = 0;
  #notBefore = 0;
  #endTimer: EndTimer = () => {};
  #closed = false;

  private constructor(options: ControlCredentialsOptions, first: Credentials) {
    this.#options = options;
    this.#current = first;
    this.#lookLater();
  }

  /** @throws authority_damaged, and what the store throws */
  static async open(options: ControlCredentialsOptions): Promise<ControlCredentials> {
    return new ControlCredentials(options, await issue(options));
  }

  /** Tells those that follow, each as it comes. */
  onRenewal(listener: (credentials: Credentials) => void): void {
    this.#listeners.add(listener);
  }

  get current(): Credentials {
    return this.#current;
  }

  close(): void {
    this.#closed = true;
    this.#endTimer();
  }

  #lookLater(): void {
    if (this.#closed) return;
    const { clock, lookMs = LOOK_MS } = this.#options;
    this.#endTimer = clock.timer(lookMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    const { clock, jitter = 0, log } = this.#options;
    const now = clock.now();
    const validity = validityOf(this.#current.certificate);
    if (now >= renewAt(validity, jitter) && now >= this.#notBefore) {
      try {
        this.#current = await issue(this.#options);
        this.#failures = 0;
        for (const listener of this.#listeners) listener(this.#current);
        log.info({}, 'The certificate of this server was renewed.');
      } catch (error) {
        this.#failures += 1;
        this.#notBefore = now + retryAfterMs(validity, now, this.#failures, 0);
        log.error({ err: error, validUntil: validity.notAfter }, 'The certificate of this server was not renewed.');
      }
    }
    this.#lookLater();
  }
}

async function issue(options: ControlCredentialsOptions): Promise<Credentials> {
  const { addresses, authority: open, clock, hostNames, validityMs } = options;
  const authority = await open();
  const { readRequest } = await import('../trust/authority.ts');
  const { key, request } = createRequest(IDENTITY);
  const order = { request: await readRequest(request), identity: IDENTITY, addresses, hostNames, now: clock.now() };
  const { certificate } = await authority.issue(validityMs === undefined ? order : { ...order, validityMs });
  return { certificate, key, bundle: [authority.certificate] };
}
