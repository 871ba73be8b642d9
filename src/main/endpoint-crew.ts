/** The further workers of an endpoint, as its own process sees them: kept running, told, asked. */
import { type ChildProcess, fork } from 'node:child_process';
import type { Logger } from '../platform/log.ts';
import type { EndpointConfig, WriterPace } from '../protocol/endpoint-messages.ts';
import type { DatabaseFigures } from '../proxy/figures.ts';
import type { WorkerQuestion } from '../proxy/home.ts';
import type { ListeningHandle } from '../proxy/read-socket.ts';
import type { FromWorker, ToWorker } from './endpoint-ipc.ts';

const ANSWER_MS = 2_000;
const RESTART_MS = 200;

export interface CrewOptions {
  dir: string;
  log: Logger;
  /** What the process itself answers. */
  answer: (question: WorkerQuestion) => string;
}

interface Member {
  index: number;
  child: ChildProcess;
  /** Ports whose sockets it has. */
  given: Set<number>;
  waiting: Map<number, (answer: FromWorker | null) => void>;
}

export class Crew {
  readonly #options: CrewOptions;
  readonly #members = new Map<number, Member>();
  #config: EndpointConfig | null = null;
  #handles: ReadonlyMap<number, ListeningHandle> = new Map();
  #requests = 0;
  #ending = false;

  constructor(options: CrewOptions) {
    this.#options = options;
  }

  /** Lets `config.workers - 1` workers serve it on these sockets. */
  serve(config: EndpointConfig, handles: ReadonlyMap<number, ListeningHandle>): void {
    this.#config = config;
    this.#handles = handles;
    for (let index = 1; index < config.workers; index += 1) if (!this.#members.has(index)) this.#start(index);
    for (const member of this.#members.values()) this.#brief(member);
  }

  #brief(member: Member): void {
    for (const [port, handle] of this.#handles) {
      if (member.given.has(port)) continue;
      member.given.add(port);
      member.child.send({ to: 'socket', port } satisfies ToWorker, handle as never);
    }
    const { workers } = this.#config!;
    this.#tell(member, { to: 'serve', config: this.#config!, workers });
  }

  #start(index: number): void {
    const { dir, log } = this.#options;
    const child = fork(process.argv[1]!, ['--dir', dir, '--worker', String(index)], {
      cwd: dir,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const member: Member = { index, child, given: new Set(), waiting: new Map() };
    this.#members.set(index, member);
    child.on('message', (message: FromWorker) => this.#received(member, message));
    child.on('error', (error) => log.error({ err: error, worker: index }, 'A worker of the endpoint fails.'));
    child.on('exit', (code, signal) => {
      for (const resolve of member.waiting.values()) resolve(null);
      this.#members.delete(index);
      if (this.#ending) return;
      log.warn(
        { worker: index, how: signal ?? `exit code ${code}` },
        'A worker of the endpoint ended and is started again.',
      );
      setTimeout(() => {
        if (this.#ending || index >= this.#config!.workers) return;
        this.#start(index);
        this.#brief(this.#members.get(index)!);
      }, RESTART_MS);
    });
  }

  #received(member: Member, message: FromWorker): void {
    if (message.from === 'ask') {
      const { id, question } = message;
      void this.askAll(question, member.index).then((answers) =>
        this.#tell(member, { to: 'answers', id, answers: [...answers, this.#options.answer(question)] }),
      );
    } else if (message.from !== 'serving') {
      member.waiting.get(message.id)?.(message);
      member.waiting.delete(message.id);
    }
  }

  look(uid: string): void {
    for (const member of this.#members.values()) this.#tell(member, { to: 'look', uid });
  }

  pace(pace: WriterPace): void {
    for (const member of this.#members.values()) this.#tell(member, { to: 'pace', pace });
  }

  /** What every worker answers, but for one. */
  async askAll(question: WorkerQuestion, except = -1): Promise<string[]> {
    const members = [...this.#members.values()].filter(({ index }) => index !== except);
    const answers = await Promise.all(
      members.map((member) => this.#ask(member, (id) => ({ to: 'answer', id, question }))),
    );
    return answers.flatMap((answer) => (answer?.from === 'answer' ? [answer.answer] : []));
  }

  async figures(): Promise<DatabaseFigures[]> {
    const all = await Promise.all(
      [...this.#members.values()].map((member) => this.#ask(member, (id) => ({ to: 'figures', id }))),
    );
    return all.flatMap((one) => (one?.from === 'figures' ? one.figures : []));
  }

  /** Resolves when all have ended. */
  async drain(drainMs: number): Promise<void> {
    this.#ending = true;
    await Promise.all(
      [...this.#members.values()].map((member) => {
        const ended = new Promise((resolve) => member.child.once('exit', resolve));
        this.#tell(member, { to: 'drain', drainMs });
        return ended;
      }),
    );
  }

  #tell(member: Member, message: ToWorker): void {
    if (member.child.connected) member.child.send(message);
  }

  #ask(member: Member, messageOf: (id: number) => ToWorker): Promise<FromWorker | null> {
    return new Promise((resolve) => {
      const id = ++this.#requests;
      const timer = setTimeout(() => answered(null), ANSWER_MS);
      const answered = (answer: FromWorker | null): void => {
        clearTimeout(timer);
        member.waiting.delete(id);
        resolve(answer);
      };
      member.waiting.set(id, answered);
      this.#tell(member, messageOf(id));
    });
  }
}
