/**
 * The endpoint's own process: its first worker, the crew of further ones, the control socket of the agent, the metrics,
 * and the hand-over to a successor:
 *
 *     old: start the successor, hand it the listening sockets   new: serves them
 *     old: closes its control socket                            new: opens its own: in charge
 *     old: takes no new client, ends each between two commands, and ends
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import type { Logger } from '../platform/log.ts';
import { identify } from '../platform/process-identity.ts';
import {
  ENDPOINT_CONFIG_FILE,
  ENDPOINT_SOCKET,
  type EndpointConfig,
  type FromEndpoint,
  type ToEndpoint,
  type WriterPace,
} from '../protocol/endpoint-messages.ts';
import { Endpoint } from '../proxy/endpoint.ts';
import { addFigures, type DatabaseFigures, figuresOf } from '../proxy/figures.ts';
import type { WorkerQuestion } from '../proxy/home.ts';
import { handleOf, type ListeningHandle } from '../proxy/read-socket.ts';
import { Crew } from './endpoint-crew.ts';
import type { FromSuccessor, ToSuccessor } from './endpoint-ipc.ts';
import { serveMetrics } from './endpoint-metrics.ts';

/** How long clients have to end when the process is asked to end without a successor. */
const STOP_DRAIN_MS = 2_000;
const SUCCESSOR_MS = 10_000;
const PROCESS_FILE = 'endpoint-process.json';

export interface EndpointHostOptions {
  /** The machine's folder, and the working directory. */
  dir: string;
  /** The parent hands over its sockets. */
  isSuccessor: boolean;
  log: Logger;
}

/** Serves until it is told to end. Resolves when it serves. */
export async function runEndpoint(options: EndpointHostOptions): Promise<void> {
  const host = new EndpointHost(options);
  if (options.isSuccessor) await host.takeOver();
  else await host.begin();
}

class EndpointHost {
  readonly #options: EndpointHostOptions;
  readonly #endpoint: Endpoint;
  readonly #crew: Crew;
  #clients = 0;
  #config: EndpointConfig | null = null;
  #control: Server | null = null;
  #metrics: { server: HttpServer; port: number } | null = null;
  #isEnding = false;
  /** By database: why it is not served, as last told; the agent has it tried every second. */
  readonly #problems = new Map<string, string | null>();

  constructor(options: EndpointHostOptions) {
    this.#options = options;
    this.#endpoint = new Endpoint({
      nextClientId: () => ++this.#clients * (this.#config?.workers ?? 1),
      askOthers: (question) => this.#crew.askAll(question),
      onDefect: (error) => options.log.error({ err: error }, 'A command met a defect of the endpoint.'),
    });
    this.#crew = new Crew({
      dir: options.dir,
      log: options.log,
      answer: (question) => this.#endpoint.answer(question),
    });
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void this.#end(STOP_DRAIN_MS));
  }

  async begin(): Promise<void> {
    await this.#serve(new Map());
    this.#takeCharge();
  }

  /** Sockets come first, then the word to serve them, then the word that the control socket is free. */
  async takeOver(): Promise<void> {
    const handles = new Map<number, ListeningHandle>();
    const tell = (message: FromSuccessor): void => void process.send?.(message);
    process.on('message', (message: ToSuccessor, handle: unknown) => {
      if (message.to === 'socket') handles.set(message.port, handle as ListeningHandle);
      else if (message.to === 'serve') void this.#serve(handles).then(() => tell({ from: 'serving' }));
      else {
        this.#takeCharge();
        process.send?.({ from: 'in-charge' } satisfies FromSuccessor, () => process.disconnect?.());
      }
    });
  }

  async #serve(given: ReadonlyMap<number, ListeningHandle>): Promise<void> {
    const config = JSON.parse(readFileSync(ENDPOINT_CONFIG_FILE, 'utf8')) as EndpointConfig;
    this.#config = config;
    await this.#endpoint.serve(config, given);
    this.#crew.serve(config, this.#handles());
    if (this.#control) this.#serveMetrics();
    for (const { name, port, problem } of this.#endpoint.status().databases) {
      if (problem !== null && this.#problems.get(name) !== problem)
        this.#options.log.error({ database: name, port, problem }, 'The endpoint does not listen for a database.');
      this.#problems.set(name, problem);
    }
  }

  #handles(): Map<number, ListeningHandle> {
    return new Map([...this.#endpoint.servers()].map(([port, server]) => [port, handleOf(server)]));
  }

  /** The control socket, the metrics and the note of who serves here. */
  #takeCharge(): void {
    rmSync(ENDPOINT_SOCKET, { force: true });
    this.#control = createServer((socket) => {
      let text = '';
      socket.setEncoding('utf8');
      socket.on('error', () => {});
      socket.on('data', (chunk: string) => {
        const lines = `${text}${chunk}`.split('\n');
        text = lines.pop()!;
        for (const line of lines)
          void this.#answerLine(line).then((reply) => socket.write(`${JSON.stringify(reply)}\n`));
      });
    });
    this.#control.listen(ENDPOINT_SOCKET);
    this.#serveMetrics();
    writeFileSync(PROCESS_FILE, JSON.stringify(identify(process.pid)), { mode: 0o600 });
    this.#options.log.info({ databases: this.#config!.databases.length }, 'The endpoint serves.');
  }

  async #answerLine(line: string): Promise<FromEndpoint> {
    try {
      return await this.#answer(JSON.parse(line) as ToEndpoint);
    } catch (error) {
      return { ok: false, error: (error as Error).message };
    }
  }

  async #answer(message: ToEndpoint): Promise<FromEndpoint> {
    switch (message.do) {
      case 'reload':
        await this.#serve(new Map());
        return { ok: true };
      case 'look':
        this.#endpoint.look(message.database);
        this.#crew.look(message.database);
        return { ok: true };
      case 'pace':
        this.#pace(message);
        return { ok: true };
      case 'waited': {
        const { database, node } = message;
        const question: WorkerQuestion = { ask: 'waited', database, args: [node] };
        const answers = [this.#endpoint.answer(question), ...(await this.#crew.askAll(question))];
        return { ok: true, waitedMs: Math.max(...answers.map(Number)) };
      }
      case 'status':
        return { ok: true, status: this.#endpoint.status() };
      case 'hand-over':
        await this.#handOver(message.drainMs);
        return { ok: true };
      default:
        return { ok: false, error: `unknown: ${JSON.stringify(message)}` };
    }
  }

  /** Each worker gets its share. */
  #pace({ database, slots, bytesPerSecond }: WriterPace): void {
    const share = bytesPerSecond === null ? null : bytesPerSecond / this.#config!.workers;
    const pace = { database, slots, bytesPerSecond: share };
    this.#endpoint.pace(pace);
    this.#crew.pace(pace);
  }

  async #handOver(drainMs: number): Promise<void> {
    if (this.#isEnding) throw new Error('it is on its way out already');
    const { dir, log } = this.#options;
    const successor = fork(process.argv[1]!, ['--dir', dir, '--successor'], {
      cwd: dir,
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const tell = (message: ToSuccessor, handle?: ListeningHandle): void =>
      void successor.send(message, handle as never);
    const heard = async (from: FromSuccessor['from']): Promise<void> => {
      const signal = AbortSignal.timeout(SUCCESSOR_MS);
      const ended = once(successor, 'exit', { signal }).then(() => Promise.reject(new Error('the successor ended')));
      ended.catch(() => {});
      const message = once(successor, 'message', { signal }) as Promise<[FromSuccessor]>;
      const [{ from: said }] = await Promise.race([message, ended]);
      if (said !== from) throw new Error(`the successor said ${said} instead of ${from}`);
    };
    try {
      for (const [port, handle] of this.#handles()) tell({ to: 'socket', port }, handle);
      tell({ to: 'serve' });
      await heard('serving');
    } catch (error) {
      successor.kill('SIGKILL');
      throw error;
    }
    this.#control?.close();
    this.#metrics?.server.close();
    tell({ to: 'take-over' });
    await heard('in-charge');
    successor.unref();
    log.info({ successor: successor.pid }, 'A successor serves; the clients that are left end between two commands.');
    setImmediate(() => void this.#end(drainMs));
  }

  async #end(drainMs: number): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    await Promise.all([this.#endpoint.drain(drainMs), this.#crew.drain(drainMs)]);
    process.exit(0);
  }

  #serveMetrics(): void {
    const { metricsPort, address } = this.#config!;
    if (this.#metrics?.port === metricsPort) return;
    this.#metrics?.server.close();
    this.#metrics = null;
    if (metricsPort === null) return;
    const failed = (error: Error): void =>
      this.#options.log.warn({ port: metricsPort, err: error }, 'The metrics are not served.');
    this.#metrics = { port: metricsPort, server: serveMetrics(address, metricsPort, () => this.#figures(), failed) };
  }

  async #figures(): Promise<DatabaseFigures[]> {
    return addFigures([...this.#endpoint.services().map(figuresOf), ...(await this.#crew.figures())]);
  }
}
