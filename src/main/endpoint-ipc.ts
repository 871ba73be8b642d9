/** What processes of one endpoint say to each other over Node's channel, beside the listening sockets they hand on. */
import type { EndpointConfig, WriterPace } from '../protocol/endpoint-messages.ts';
import type { DatabaseFigures } from '../proxy/figures.ts';
import type { WorkerQuestion } from '../proxy/home.ts';

/** To a worker, from the process it works for. Each request is answered once. */
export type ToWorker =
  | { to: 'socket'; port: number }
  | { to: 'serve'; config: EndpointConfig; workers: number }
  | { to: 'look'; uid: string }
  | { to: 'pace'; pace: WriterPace }
  | { to: 'answer'; id: number; question: WorkerQuestion }
  | { to: 'figures'; id: number }
  | { to: 'answers'; id: number; answers: string[] }
  | { to: 'drain'; drainMs: number };

export type FromWorker =
  | { from: 'serving' }
  | { from: 'answer'; id: number; answer: string }
  | { from: 'figures'; id: number; figures: DatabaseFigures[] }
  /** A question for all others. */
  | { from: 'ask'; id: number; question: WorkerQuestion };

/** To a successor. */
export type ToSuccessor = { to: 'socket'; port: number } | { to: 'serve' } | { to: 'take-over' };

/** It listens on what it was given; then it has the control socket, too. */
export type FromSuccessor = { from: 'serving' } | { from: 'in-charge' };
