/** CLIENT: the clients of the endpoint. */
import type { Call, Handler } from '../call.ts';
import type { Home, WorkerQuestion } from '../home.ts';

/** What one worker says of its clients of a database. */
export function answerQuestion(home: Home, question: WorkerQuestion): string {
  return question.ask === 'counts' ? String(home.peers.size) : '';
}

const id: Handler = (call: Call) => call.answer(call.session.id);

export const CLIENT_HANDLERS: Readonly<Record<string, Handler>> = { 'client|id': id };
