/**
 * The load: operations that become due by the clock, whether or not earlier ones were answered, half of them through the
 * endpoint and half by cluster clients: values that are written once, counters, and lists that grow.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { kindOf, UNANSWERED } from '../faults/history.ts';
import { type Clients, WAYS, type Way } from './clients.ts';
import { isRefusal, OK, type Outcome } from './judge.ts';

const TICK_MS = 1;
/** Operations without an answer; beyond it none are sent until some are answered. */
const MAX_UNANSWERED = 20_000;
/** Longer than the endpoint has patience. */
const PATIENCE_MS = 15_000;
const POLL_MS = 5;

/** The operations of a way, again and again. */
const MIX = ['value', 'value', 'counter', 'value', 'list'] as const;
const COUNTERS = 200;
const LISTS = 20;

export interface Operation {
  way: Way;
  kind: (typeof MIX)[number];
  key: string;
  /** What is written or pushed: no other operation has it. */
  value: string;
  /** `performance.now()`. */
  sentAt: number;
  /** When it was answered or refused, or given up; null: not yet. */
  answeredAt: number | null;
  outcome: Outcome;
}

export interface Counter {
  way: Way;
  key: string;
  sent: number;
  refused: number;
  /** What the acknowledged increments were answered. */
  replies: number[];
}

/** From one check to the next. Values and lists are of one round, counters go through all of them. */
export interface Round {
  number: number;
  operations: Operation[];
}

export class Load {
  readonly counters: readonly Counter[];
  readonly #clients: Clients;
  readonly #sent: Record<Way, number> = { endpoint: 0, cluster: 0 };
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #round: Round = { number: 1, operations: [] };
  #total = 0;
  #unanswered = 0;
  #tickedAt = performance.now();
  #longestPauseMs = 0;

  /** Begins at once. */
  constructor(clients: Clients, perSecond: number) {
    this.#clients = clients;
    this.counters = WAYS.flatMap((way) =>
      Array.from({ length: COUNTERS }, (_, index) => ({
        ...{ way, key: `counter:${way}:${index}`, sent: 0, refused: 0, replies: [] },
      })),
    );
    this.#timer = setInterval(() => this.#tick(perSecond), TICK_MS);
  }

  /** How many were sent. */
  get total(): number {
    return this.#total;
  }

  /** For how long this program itself did nothing since this was asked last: an answer may have waited so long here. */
  takeLongestPauseMs(): number {
    const longest = this.#longestPauseMs;
    this.#longestPauseMs = 0;
    return longest;
  }

  /** Begins another round, and gives the one before it when all of it is answered, or will not be any more. */
  async nextRound(): Promise<Round> {
    const ended = this.#round;
    this.#round = { number: ended.number + 1, operations: [] };
    const deadline = performance.now() + PATIENCE_MS;
    const isOpen = ({ answeredAt }: Operation): boolean => answeredAt === null;
    while (ended.operations.some(isOpen) && performance.now() < deadline) await sleep(POLL_MS);
    for (const operation of ended.operations.filter(isOpen)) operation.answeredAt = performance.now();
    return ended;
  }

  /** Sends no more. The last round is to be asked for yet. */
  stop(): void {
    clearInterval(this.#timer);
  }

  #tick(perSecond: number): void {
    const now = performance.now();
    this.#longestPauseMs = Math.max(this.#longestPauseMs, now - this.#tickedAt);
    this.#tickedAt = now;
    const due = Math.floor(((now - this.#startedAt) * perSecond) / 1000);
    while (this.#total < due && this.#unanswered < MAX_UNANSWERED) {
      this.#send(WAYS[this.#total % WAYS.length]!);
      this.#total += 1;
    }
  }

  #send(way: Way): void {
    const number = this.#sent[way]++;
    const kind = MIX[number % MIX.length]!;
    const place = Math.floor(number / MIX.length);
    const counter = this.counters[WAYS.indexOf(way) * COUNTERS + (place % COUNTERS)]!;
    const name = `${way}:${this.#round.number}`;
    const key = { value: `value:${name}:${number}`, counter: counter.key, list: `list:${name}:${place % LISTS}` }[kind];
    const operation: Operation = {
      ...{
        way,
        kind,
        key,
        value: `${way} ${number}`,
        sentAt: performance.now(),
        answeredAt: null,
        outcome: UNANSWERED,
      },
    };
    this.#round.operations.push(operation);
    this.#unanswered += 1;
    if (kind === 'counter') counter.sent += 1;
    const ended = (outcome: Outcome): void => {
      this.#unanswered -= 1;
      if (kind === 'counter' && isRefusal(outcome)) counter.refused += 1;
      if (operation.answeredAt !== null) return; // given up
      operation.answeredAt = performance.now();
      operation.outcome = outcome;
    };
    this.#call(operation).then(
      (reply) => {
        if (kind === 'counter') counter.replies.push(Number(reply));
        ended(OK);
      },
      (error: Error) => ended(kindOf(error.message)),
    );
  }

  #call({ way, kind, key, value }: Operation): Promise<unknown> {
    const client = this.#clients.next(way);
    if (kind === 'counter') return client.incr(key);
    return kind === 'list' ? client.rpush(key, value) : client.set(key, value);
  }
}
