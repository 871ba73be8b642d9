/** Keeps the machine's certificate valid: asks for the next one in good time, by the present one, and with a new key. */
import { X509Certificate } from 'node:crypto';
import type { RequestOptions } from 'node:https';
import { toErrorDocument } from '../domain/errors.ts';
import type { CertificateView } from '../domain/view.ts';
import type { Logger } from '../platform/log.ts';
import { RENEW_PATH } from '../protocol/join-messages.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import { clientOptions, validityOf } from '../trust/credentials.ts';
import { renewAt, retryAfterMs } from '../trust/renewal.ts';
import { acceptReply, createRequest } from '../trust/request.ts';
import { askControl, firstThatAnswers } from './ask-control.ts';
import { writeCredentials } from './write-credentials.ts';

/** How often it is looked whether it is time: a clock may jump, a process be held. */
const LOOK_MS = 60_000;
const CONTROL = { kind: 'control' } as const;

export interface CertificateKeeperOptions {
  credentials: MachineCredentials;
  machine: string;
  log: Logger;
  /** From 0 to 1; see `renewAt`. */
  jitter?: number | undefined;
  lookMs?: number | undefined;
  /** The files hold others: who uses them is to read them anew. */
  renewed: () => Promise<void>;
  /** It is another, or was not renewed. */
  changed: (certificate: CertificateView) => void;
}

export class CertificateKeeper {
  readonly #options: CertificateKeeperOptions;
  readonly #credentials: MachineCredentials;
  readonly #jitter: number;
  #servers: () => readonly string[] = () => [];
  #problem: string | null = null;
  #failures = 0;
  #notBefore = 0;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: CertificateKeeperOptions) {
    this.#options = options;
    this.#credentials = options.credentials;
    this.#jitter = options.jitter ?? Math.random();
  }

  /** What the next connection to a control plane shows and believes. */
  access(): RequestOptions {
    // The types of TLS and HTTPS options differ only in what they say of `undefined`.
    return clientOptions(this.#credentials.current, CONTROL) as RequestOptions;
  }

  get view(): CertificateView {
    const { certificate } = this.#credentials.current;
    const { serialNumber: serial } = new X509Certificate(certificate);
    return { serial, notAfter: validityOf(certificate).notAfter, problem: this.#problem };
  }

  /** @param servers where control planes are at that moment; one after the other is asked */
  begin(servers: () => readonly string[]): void {
    this.#servers = servers;
    void this.#look();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
  }

  async #look(): Promise<void> {
    const now = Date.now();
    const validity = validityOf(this.#credentials.current.certificate);
    if (now >= renewAt(validity, this.#jitter) && now >= this.#notBefore) await this.#renew(validity.notAfter);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#look(), this.#options.lookMs ?? LOOK_MS);
  }

  async #renew(notAfter: number): Promise<void> {
    const { changed, log } = this.#options;
    const before = this.#problem;
    try {
      await this.#ask();
      this.#problem = null;
      this.#failures = 0;
      log.info({ ...this.view }, 'The certificate was renewed.');
    } catch (error) {
      this.#problem = toErrorDocument(error).message;
      this.#failures += 1;
      const now = Date.now();
      this.#notBefore = now + retryAfterMs(validityOf(this.#credentials.current.certificate), now, this.#failures, 0);
      log.error({ err: error, notAfter, failures: this.#failures }, 'The certificate was not renewed.');
    }
    // A failure is told once, not each time: the first words of it say enough.
    if (this.#problem === null || this.#problem !== before) changed(this.view);
  }

  async #ask(): Promise<void> {
    const { machine, renewed } = this.#options;
    const identity = { kind: 'machine', name: machine } as const;
    const { key, request } = createRequest(identity);
    const ask = (url: string) => askControl(url, RENEW_PATH, { request }, this.access());
    const reply = await firstThatAnswers(this.#servers(), ask);
    await writeCredentials(this.#credentials.files, acceptReply(key, reply, identity, Date.now()));
    await renewed();
  }
}
