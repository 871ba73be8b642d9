/**
 * The line to one neighbour: a WebSocket that the first question opens and that is kept. A question that stays unanswered
 * costs it, so that a cable that was mended is noticed by the next question and not after TCP's pauses. What else waits
 * on a connection that is lost is asked once more, on the next one.
 */
import WebSocket, { type ClientOptions } from 'ws';
import type { Voter } from '../domain/roster.ts';
import type { Logger } from '../platform/log.ts';
import {
  type Answer,
  MAX_NEIGHBOUR_BYTES,
  NEIGHBOUR_PATH,
  NEIGHBOUR_PROTOCOL,
  type NeighbourRequest,
  type Question,
} from '../protocol/neighbour-messages.ts';
import { ANSWER_MS } from '../quorum/times.ts';
import { readReply } from './neighbour-text.ts';

/** What came of a question; times are of `performance.now()`. */
export type Heard =
  | {
      how: 'answered';
      answer: Answer;
      /** Before it was sent. */
      askedAt: number;
    }
  | {
      /** The kernel of that host refused the connection: nobody votes there. */
      how: 'refused';
      /** Before the connection was tried. */
      askedAt: number;
    }
  /** No answer within `ANSWER_MS`. */
  | { how: 'silent' };

/** Of one neighbour at a time; more are not even sent. */
export const MOST_WAITING = 8;
const SILENT: Heard = { how: 'silent' };

export interface LineOptions {
  voter: Voter;
  /** With TLS, and what the next connection shows and expects. */
  secure: boolean;
  access: () => ClientOptions;
  log: Logger;
}

interface Waiting {
  request: NeighbourRequest;
  askedAt: number;
  /** A connection was lost under it. */
  again: boolean;
  settle: (heard: Heard) => void;
}

/** One connection, and when it was begun. */
interface Connection {
  socket: WebSocket;
  begunAt: number;
  problem: string;
}

export class NeighbourLine {
  readonly #options: LineOptions;
  readonly #waiting = new Map<number, Waiting>();
  #connection: Connection | null = null;
  #lastId = 0;
  #isHeard: boolean | null = null;
  #closed = false;

  constructor(options: LineOptions) {
    this.#options = options;
  }

  get voter(): Voter {
    return this.#options.voter;
  }

  /** @param version of the voters that the asking agent knows */
  ask(version: number, question: Question): Promise<Heard> {
    if (this.#closed || this.#waiting.size >= MOST_WAITING) return Promise.resolve(SILENT);
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve } = Promise.withResolvers<Heard>();
    // An answer that has come while this process was held is read before the time is up.
    const timer = setTimeout(() => setImmediate(() => this.#late(id)), ANSWER_MS);
    const settle = (heard: Heard): void => {
      clearTimeout(timer);
      this.#waiting.delete(id);
      resolve(heard);
    };
    const request = { id, protocol: NEIGHBOUR_PROTOCOL, version, question };
    const waiting = { request, askedAt: performance.now(), again: false, settle };
    this.#waiting.set(id, waiting);
    if (this.#connection === null) this.#connect();
    else if (this.#connection.socket.readyState === WebSocket.OPEN) send(this.#connection, waiting);
    return promise;
  }

  /** Ends the connection; what waits is answered by silence. */
  close(): void {
    this.#closed = true;
    this.#connection?.socket.terminate();
    this.#connection = null;
    for (const { settle } of [...this.#waiting.values()]) settle(SILENT);
  }

  #connect(): void {
    const { voter, secure, access } = this.#options;
    const url = `${secure ? 'wss' : 'ws'}://${voter.address}:${voter.port}${NEIGHBOUR_PATH}`;
    const begunAt = performance.now();
    const socket = new WebSocket(url, { ...access(), perMessageDeflate: false, maxPayload: MAX_NEIGHBOUR_BYTES });
    const connection: Connection = { socket, begunAt, problem: '' };
    this.#connection = connection;
    socket.on('open', () => {
      for (const waiting of this.#waiting.values()) send(connection, waiting);
    });
    socket.on('message', (data) => {
      const reply = readReply(String(data));
      if (reply) this.#answered(reply.id, reply.answer);
      else socket.terminate();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      connection.problem ||= error.message; // 'close' follows
      if (error.code === 'ECONNREFUSED' && error.syscall === 'connect') this.#refused(connection);
    });
    socket.on('close', () => this.#lost(connection));
  }

  #answered(id: number, answer: Answer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#note(true, '');
    waiting.settle({ how: 'answered', answer, askedAt: waiting.askedAt });
  }

  /** Whoever asked after the connection was begun may have asked after it was refused. */
  #refused(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    this.#note(false, connection.problem);
    const { begunAt } = connection;
    for (const { askedAt, settle } of [...this.#waiting.values()]) {
      settle({ how: 'refused', askedAt: Math.min(askedAt, begunAt) });
    }
  }

  #late(id: number): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    waiting.settle(SILENT);
    const connection = this.#connection;
    if (connection === null) return;
    connection.problem ||= `no answer within ${ANSWER_MS} ms`;
    this.#lost(connection);
    connection.socket.terminate();
  }

  #lost(connection: Connection): void {
    if (this.#connection !== connection) return;
    this.#connection = null;
    if (this.#waiting.size > 0 || connection.problem !== '') this.#note(false, connection.problem);
    for (const waiting of [...this.#waiting.values()]) {
      if (waiting.again) waiting.settle(SILENT);
      else waiting.again = true;
    }
    if (this.#waiting.size > 0) this.#connect();
  }

  /** Told once, not with every question. */
  #note(isHeard: boolean, problem: string): void {
    if (this.#isHeard === isHeard) return;
    const { log, voter } = this.#options;
    if (!isHeard) log.warn({ ...voter, problem }, 'A neighbour does not answer.');
    else if (this.#isHeard === false) log.info({ ...voter }, 'A neighbour answers again.');
    this.#isHeard = isHeard;
  }
}

function send({ socket }: Connection, { request }: Waiting): void {
  socket.send(JSON.stringify(request));
}
