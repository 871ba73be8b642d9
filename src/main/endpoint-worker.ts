/** A further worker of an endpoint: a process that serves the same listening sockets. It ends with its parent. */
import { Endpoint } from '../proxy/endpoint.ts';
import { figuresOf } from '../proxy/figures.ts';
import type { WorkerQuestion } from '../proxy/home.ts';
import type { ListeningHandle } from '../proxy/read-socket.ts';
import type { FromWorker, ToWorker } from './endpoint-ipc.ts';

/** When the parent is gone: how long clients have to end. */
const ORPHAN_DRAIN_MS = 2_000;

/** Serves until the parent has it drained, or is gone. */
export function runWorker(index: number): void {
  const tell = (message: FromWorker): void => void process.send?.(message);
  const handles = new Map<number, ListeningHandle>();
  const asked = new Map<number, (answers: string[]) => void>();
  let questions = 0;
  let clients = 0;
  let workers = 1;
  const endpoint = new Endpoint({
    nextClientId: () => ++clients * workers + index,
    askOthers: (question: WorkerQuestion) =>
      new Promise((resolve) => {
        const id = ++questions;
        asked.set(id, resolve);
        tell({ from: 'ask', id, question });
      }),
    onDefect: (error) => console.error('A command met a defect of the endpoint:', error),
  });
  const end = (drainMs: number): void => void endpoint.drain(drainMs).then(() => process.exit(0));
  process.on('message', (message: ToWorker, handle: unknown) => {
    switch (message.to) {
      case 'socket':
        handles.set(message.port, handle as ListeningHandle);
        return;
      case 'serve':
        workers = message.workers;
        void endpoint.serve(message.config, handles).then(() => tell({ from: 'serving' }));
        return;
      case 'look':
        return endpoint.look(message.uid);
      case 'pace':
        return endpoint.pace(message.pace);
      case 'answer':
        return tell({ from: 'answer', id: message.id, answer: endpoint.answer(message.question) });
      case 'answers':
        asked.get(message.id)?.(message.answers);
        asked.delete(message.id);
        return;
      case 'figures':
        return tell({ from: 'figures', id: message.id, figures: endpoint.services().map(figuresOf) });
      case 'drain':
        return end(message.drainMs);
    }
  });
  process.on('disconnect', () => end(ORPHAN_DRAIN_MS));
  // A Ctrl-C reaches the whole group; the parent decides.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
}
