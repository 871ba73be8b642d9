/** The members of one etcd: every request goes to one of them, and on to the next when that one is away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { CODE, type Reply, type Transport } from './etcd-http.ts';
import type { Answer } from './etcd-wire.ts';

export interface MembersOptions {
  /** At least one. */
  urls: readonly string[];
  /** Whom etcd knows us as; null without users. */
  user: { name: string; password: string } | null;
  /** A member that is silent for so long is given up, in ms. */
  silenceMs: number;
}

/** What came of a request in the end; `sentBefore`: an earlier try of it was sent, and lost. */
export type Asked<T> = Reply<T> & { sentBefore: boolean };

/** Asks one certain member. */
export type Post = <T = Answer>(path: string, body: object) => Promise<Reply<T>>;

/** After all members have failed in turn, it is waited before the next round, longer each time, in ms. */
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 1_000;
/** How often it is looked whether the member of a watch still has a majority, in ms. */
const CHECK_MS = 1_000;
/** With less than this left it is not tried any more, in ms. */
const MIN_TRY_MS = 50;
const NO_TIME = 'there was no time left to ask';

export class EtcdMembers {
  readonly #urls: readonly string[];
  readonly #user: MembersOptions['user'];
  readonly #silenceMs: number;
  readonly #transport: Transport;
  /** Position of the member that is asked now. */
  #at = 0;
  #token: string | null = null;
  #closed = false;

  constructor(transport: Transport, { urls, user, silenceMs }: MembersOptions) {
    this.#transport = transport;
    this.#urls = urls;
    this.#user = user;
    this.#silenceMs = silenceMs;
  }

  /**
   * Lets `run` ask a member, again with the next one whenever that brought nothing, until a member answers or refuses
   * or `deadlineMs` (of `performance.now()`) has come. So what `run` asks may be carried out more than once.
   */
  async ask<T>(deadlineMs: number, run: (post: Post) => Promise<Reply<T>>): Promise<Asked<T>> {
    const problems = new Map<string, string>();
    let sentBefore = false;
    let pauseMs = FIRST_PAUSE_MS;
    for (let tries = 1; deadlineMs - performance.now() >= MIN_TRY_MS && !this.#closed; tries += 1) {
      const url = this.#url;
      const reply = await run((path, body) => this.#post(url, path, body, deadlineMs));
      if (reply.kind !== 'lost') return { ...reply, sentBefore };
      sentBefore ||= reply.sent;
      problems.set(url, reply.problem);
      this.#leave(url);
      if (tries % this.#urls.length > 0) continue;
      await sleep(Math.max(0, Math.min(pauseMs, deadlineMs - performance.now())));
      pauseMs = Math.min(LAST_PAUSE_MS, pauseMs * 2);
    }
    const problem = [...problems].map((pair) => pair.join(': ')).join('; ') || NO_TIME;
    return { kind: 'lost', sent: sentBefore, problem, sentBefore };
  }

  /**
   * Hands on the lines of one member's watch until it ends, `signal` aborts, or the member is away, stopped, or cut off
   * from the majority: such a watch would be silent for ever. Resolves to why; the next call takes another member.
   */
  async follow(body: object, probe: object, onLine: (line: string) => void, signal: AbortSignal): Promise<string> {
    const url = this.#url;
    const ending = new AbortController();
    const end = (): void => ending.abort();
    signal.addEventListener('abort', end);
    try {
      if (this.#user !== null) this.#token = null; // one that ends soon is refused in another way than by a request
      const silenceMs = this.#silenceMs;
      const token = await this.#knownToken(url, silenceMs, performance.now() + silenceMs);
      if (token.kind !== 'answer') return token.kind === 'lost' ? token.problem : token.message;
      if (signal.aborted) return 'it was ended here';
      const followed = this.#transport.follow(url, '/v3/watch', body, {
        ...{ silenceMs, token: token.value, onLine, signal: ending.signal },
      });
      return await Promise.race([followed, this.#untilSilent(url, probe, ending.signal)]);
    } finally {
      end();
      signal.removeEventListener('abort', end);
      if (!signal.aborted) this.#leave(url);
    }
  }

  /** What is asked from now on, or waits to be asked again, brings nothing. */
  close(): void {
    this.#closed = true;
  }

  get #url(): string {
    return this.#urls[this.#at]!;
  }

  /** Others may have left it already. */
  #leave(url: string): void {
    if (url === this.#url) this.#at = (this.#at + 1) % this.#urls.length;
  }

  async #post<T>(url: string, path: string, body: object, deadlineMs: number): Promise<Reply<T>> {
    for (let isSecond = false; ; isSecond = true) {
      const silenceMs = Math.min(this.#silenceMs, deadlineMs - performance.now());
      if (silenceMs < 1 || this.#closed) return { kind: 'lost', sent: false, problem: NO_TIME };
      const token = await this.#knownToken(url, silenceMs, deadlineMs);
      if (token.kind !== 'answer') return token;
      const reply = await this.#transport.post<T>(url, path, body, { silenceMs, deadlineMs, token: token.value });
      if (isSecond || token.value === null || !isTokenRefused(reply)) return reply;
      this.#token = null;
    }
  }

  async #knownToken(url: string, silenceMs: number, deadlineMs: number): Promise<Reply<string | null>> {
    if (this.#user === null || this.#token !== null) return { kind: 'answer', value: this.#token };
    const reply = await this.#transport.post<{ token: string }>(url, '/v3/auth/authenticate', this.#user, {
      ...{ silenceMs, deadlineMs, token: null },
    });
    if (reply.kind === 'lost') return { ...reply, sent: false }; // what is to be asked was not
    if (reply.kind === 'refused') return reply;
    this.#token = reply.value.token;
    return { kind: 'answer', value: this.#token };
  }

  async #untilSilent(url: string, probe: object, signal: AbortSignal): Promise<string> {
    for (;;) {
      await sleep(CHECK_MS, undefined, { signal }).catch(() => {});
      if (signal.aborted) return 'it was ended here';
      const reply = await this.#post(url, '/v3/kv/range', probe, Number.POSITIVE_INFINITY);
      if (reply.kind === 'lost') return reply.problem;
    }
  }
}

/** Tokens end by themselves, with a member that starts again, and with every change of etcd's users. */
const isTokenRefused = (reply: Reply<unknown>): boolean =>
  reply.kind === 'refused' &&
  (reply.code === CODE.unauthenticated || /revision of auth store is old|invalid auth token/.test(reply.message));
