/**
 * Keeps the machine's endpoint process: writes what it is to serve, starts it while there is something, adopts it after
 * a restart of the agent, starts it again with growing pauses when it ends, and tells how it is. Level-triggered: every
 * look finds out what runs and brings it nearer to what is wanted; events only make the next look come sooner.
 */
import { closeSync, constants, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { TlsFiles } from '../domain/tls-directives.ts';
import type { EndpointView } from '../domain/view.ts';
import { readJson, writeFileAtomic } from '../platform/files.ts';
import type { Logger } from '../platform/log.ts';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import {
  ENDPOINT_CONFIG_FILE,
  ENDPOINT_PROTOCOL,
  ENDPOINT_SOCKET,
  type EndpointConfig,
  type EndpointDatabase,
  type ToEndpoint,
  type WriterPace,
} from '../protocol/endpoint-messages.ts';
import { EndpointLine } from './endpoint-line.ts';
import { endEndpoints, endpointsIn, lastWords, servingEndpoint, spawnEndpoint } from './endpoint-process.ts';
import { firstFreePort } from './free-ports.ts';

const FIRST_METRICS_PORT = 9121;
const STARTING_POLL_MS = 25;
/** How often a process that is well is asked how it is. */
const REST_MS = 2_000;
/** Between two tries to listen where a port is taken. */
const TRY_AGAIN_MS = 1_000;
/** After its start a process may be silent for so long. */
const START_MS = 10_000;
const ANSWER_MS = 2_000;
const FIRST_LOOK_MS = 200;
const REPLACE_MS = 12_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;
/** A process that ran this long had started well: the next pause is the first again. */
const RAN_WELL_MS = 10_000;
/** What stands in the way of a new process gets no longer to end. */
const LEFT_GRACE_MS = 500;
/** With nothing left to serve, clients get this long. */
const IDLE_GRACE_MS = 10_000;

/** A process, with when it came into view; milliseconds of the monotonic clock. */
type Followed = ProcessIdentity & { since: number };

export interface EndpointKeeperOptions {
  /** The machine's folder, without links. */
  dir: string;
  machine: string;
  address: string;
  zone: string;
  /** The machine's credentials; null when it has none. */
  tls: TlsFiles | null;
  /** Processes that share the endpoint's work, its own included. */
  workers: number;
  /** File of the endpoint's program. */
  program: string;
  log: Logger;
  changed: (view: EndpointView) => void;
}

export class EndpointKeeper {
  readonly #options: EndpointKeeperOptions;
  readonly #folder: number;
  readonly #line: EndpointLine;
  #config: EndpointConfig | null = null;
  /** Grows with every change of the file, and the one that the process has been told of. */
  #version = 0;
  #told = 0;
  #view: EndpointView = { pid: null, metricsPort: null, problem: null, databases: [] };
  #running: Followed | null = null;
  #problem = 'it is starting';
  #pauseMs = FIRST_PAUSE_MS;
  #notBefore = 0;
  #timer: NodeJS.Timeout | null = null;
  #look: Promise<void> | null = null;
  #again = false;
  #closed = false;
  /** Changes of the file follow one another. */
  #queue: Promise<unknown> = Promise.resolve();

  constructor(options: EndpointKeeperOptions) {
    this.#options = options;
    this.#folder = openSync(options.dir, constants.O_RDONLY | constants.O_DIRECTORY);
    this.#line = this.#newLine(() => this.#wake());
  }

  /** What runs, and what it serves, as the latest look showed it. */
  get view(): EndpointView {
    return this.#view;
  }

  /** Goes on with what was to be served before; the control plane need not be there. @throws file_unusable, file_damaged */
  async begin(): Promise<void> {
    const found = (await readJson(join(this.#options.dir, ENDPOINT_CONFIG_FILE))) as EndpointConfig | undefined;
    if (found?.protocol === ENDPOINT_PROTOCOL) this.#config = found;
    this.#version = 1;
    // One that hangs must not keep the agent from saying hello.
    await Promise.race([this.#lookNow(), pause(FIRST_LOOK_MS)]);
  }

  /** Writes the file if it says something new, and sees to it that a process serves it. @throws file_unusable */
  serve(databases: readonly EndpointDatabase[]): Promise<void> {
    const written = this.#queue.then(() => this.#write(databases));
    this.#queue = written.catch(() => {});
    return written;
  }

  /** The files of the credentials were renewed: the process reads them again. */
  readCredentials(): void {
    this.#version += 1;
    this.#wake();
  }

  /** Lets the process ask the nodes of a database for the slot map at once. */
  nudge(database: string): void {
    this.#tell(database, { do: 'look', database }); // it looks by itself, too
  }

  /** Lets the process slow down who writes to slots of a database, for a few seconds. */
  pace(pace: WriterPace): void {
    this.#tell(pace.database, { do: 'pace', ...pace });
  }

  #tell(database: string, message: ToEndpoint): void {
    if (this.#serves(database)) this.#line.ask(message, ANSWER_MS).catch(() => {});
  }

  #serves(database: string): boolean {
    return this.#running !== null && (this.#config?.databases.some(({ uid }) => uid === database) ?? false);
  }

  /** The longest time of late, in milliseconds, that commands of clients were held back here for this node; 0 when none were, or it does not say. */
  async waitedFor(database: string, node: NodeId): Promise<number> {
    if (!this.#serves(database)) return 0;
    const answer = await this.#line.ask({ do: 'waited', database, node }, ANSWER_MS).catch(() => null);
    return answer?.waitedMs ?? 0;
  }

  /** A successor takes over. @throws no_endpoint, endpoint_not_replaced */
  async replace(drainMs: number): Promise<{ pid: number }> {
    const { machine, dir, log } = this.#options;
    const before = this.#running;
    if (!before) throw new ValkeeperError('no_endpoint', { machine });
    // A line of its own: a look that finds the successor before the old process answers turns the other one to it.
    const line = this.#newLine(() => {});
    try {
      await line.ask({ do: 'hand-over', drainMs }, REPLACE_MS);
    } catch (error) {
      throw new ValkeeperError('endpoint_not_replaced', { machine, problem: (error as Error).message });
    } finally {
      line.close();
    }
    const deadline = performance.now() + ANSWER_MS;
    let successor = servingEndpoint(dir);
    while ((successor === null || successor.pid === before.pid) && performance.now() < deadline) {
      await pause(STARTING_POLL_MS);
      successor = servingEndpoint(dir);
    }
    if (successor === null || successor.pid === before.pid) {
      throw new ValkeeperError('endpoint_not_replaced', { machine, problem: 'no successor says that it serves' });
    }
    log.info({ from: before.pid, to: successor.pid }, 'The endpoint was replaced.');
    await this.#lookNow();
    return { pid: successor.pid };
  }

  /** Leaves the process as it is. */
  detach(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer) clearTimeout(this.#timer);
    this.#line.close();
    closeSync(this.#folder);
  }

  /** Ends every endpoint process of the machine: SIGTERM, and SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.detach();
    await this.#look;
    await endEndpoints(endpointsIn(this.#options.dir, this.#options.program), graceMs);
  }

  /** By the open folder, since the path of a socket may have 107 bytes only. */
  #newLine(onLost: () => void): EndpointLine {
    return new EndpointLine(() => `/proc/self/fd/${this.#folder}/${ENDPOINT_SOCKET}`, onLost);
  }

  async #write(databases: readonly EndpointDatabase[]): Promise<void> {
    const { dir, machine, address, zone, tls } = this.#options;
    const config: EndpointConfig = {
      protocol: ENDPOINT_PROTOCOL,
      machine,
      address,
      zone,
      tls,
      workers: this.#options.workers,
      metricsPort: await this.#metricsPort(databases),
      databases: [...databases],
    };
    if (JSON.stringify(config) !== JSON.stringify(this.#config)) {
      await writeFileAtomic(join(dir, ENDPOINT_CONFIG_FILE), `${JSON.stringify(config, null, 1)}\n`);
      this.#config = config;
      this.#version += 1;
    }
    this.#wake();
  }

  /** The one it had, unless another process has taken it since, or a database wants it. */
  async #metricsPort(databases: readonly EndpointDatabase[]): Promise<number | null> {
    const wanted = new Set(databases.map(({ port }) => port));
    const present = this.#config?.metricsPort ?? null;
    if (present !== null && this.#running && !wanted.has(present)) return present;
    return firstFreePort(this.#options.address, present ?? FIRST_METRICS_PORT, wanted);
  }

  #wake(): void {
    if (this.#closed) return;
    if (this.#look) {
      this.#again = true;
      return;
    }
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#look = this.#tend()
      .catch((error: unknown) => {
        this.#options.log.error({ err: error }, 'A look at the endpoint failed.');
        return REST_MS;
      })
      .then((restMs) => {
        this.#look = null;
        if (this.#closed) return;
        if (this.#again) {
          this.#again = false;
          this.#wake();
        } else if (restMs !== null) this.#timer = setTimeout(() => this.#wake(), restMs);
      });
  }

  async #lookNow(): Promise<void> {
    await this.#look;
    this.#wake();
    await this.#look;
  }

  /** One look. @returns when to look again, in milliseconds; null: when something happens */
  async #tend(): Promise<number | null> {
    const { dir, program } = this.#options;
    this.#find();
    if (!this.#config || this.#config.databases.length === 0) {
      this.#show({ pid: null, metricsPort: null, problem: null, databases: [] });
      const left = endpointsIn(dir, program);
      if (left.length > 0) await endEndpoints(left, IDLE_GRACE_MS);
      this.#running = null;
      this.#notBefore = 0;
      return null;
    }
    if (!this.#running) {
      const waitMs = this.#notBefore - performance.now();
      if (waitMs <= 0) await this.#start();
      this.#show({ pid: null, metricsPort: null, problem: this.#problem, databases: [] });
      return waitMs <= 0 ? STARTING_POLL_MS : waitMs;
    }
    return this.#ask(this.#running);
  }

  /** Who says that it serves here, or else the process that was started last. */
  #find(): void {
    const { dir, log } = this.#options;
    const before = this.#running;
    const serving = servingEndpoint(dir);
    if (serving && serving.pid !== before?.pid) {
      if (!before) log.info({ processId: serving.pid }, 'Adopted a running endpoint.');
      this.#follow(serving);
    } else if (!serving && before && !isRunning(before)) {
      this.#running = null;
      this.#line.close();
      void this.#ended(before.since);
    }
  }

  #follow(found: ProcessIdentity): void {
    this.#running = { ...found, since: performance.now() };
    this.#line.close();
    this.#told = 0;
  }

  async #start(): Promise<void> {
    const { dir, log, program } = this.#options;
    // Workers without their process, or one that an earlier agent had just started: they would keep the ports.
    const left = endpointsIn(dir, program);
    if (left.length > 0) await endEndpoints(left, LEFT_GRACE_MS);
    if (this.#closed) return;
    const version = this.#version;
    const child = spawnEndpoint(program, dir);
    child.once('error', ({ message }) => {
      this.#problem = `it cannot be started: ${message}`;
    });
    child.once('exit', () => this.#wake());
    const found = child.pid === undefined ? null : identify(child.pid);
    if (!found) {
      this.#pause();
      return;
    }
    this.#follow(found);
    this.#told = version; // it reads the file at its start
    log.info({ processId: found.pid }, 'Started the endpoint.');
  }

  async #ended(since: number): Promise<void> {
    if (performance.now() - since >= RAN_WELL_MS) this.#pauseMs = FIRST_PAUSE_MS;
    this.#problem = 'its process ended';
    this.#pause();
    const words = await lastWords(this.#options.dir);
    if (words && !this.#running) this.#problem = `its process ended (${words})`;
    this.#options.log.warn({ why: words }, 'The endpoint ended and is started again after a pause.');
  }

  #pause(): void {
    this.#notBefore = performance.now() + this.#pauseMs;
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  async #ask(running: Followed): Promise<number> {
    const { pid } = running;
    try {
      const version = this.#version;
      if (this.#told < version) {
        await this.#line.ask({ do: 'reload' }, ANSWER_MS);
        this.#told = version;
      }
      const { status } = await this.#line.ask({ do: 'status' }, ANSWER_MS);
      const databases = (status?.databases ?? []).map(({ uid, port, problem }) => ({ uid, port, problem }));
      this.#problem = 'it is starting';
      this.#show({ pid, metricsPort: this.#config?.metricsPort ?? null, problem: null, databases });
      if (databases.every(({ problem }) => problem === null)) return REST_MS;
      this.#told = 0; // what it could not do, it tries again when it reads the file again
      return TRY_AGAIN_MS;
    } catch (error) {
      const isYoung = performance.now() - running.since < START_MS;
      const problem = isYoung ? this.#problem : `it does not answer (${(error as Error).message})`;
      if (this.#running === running) this.#show({ pid, metricsPort: null, problem, databases: [] });
      return isYoung ? STARTING_POLL_MS : REST_MS;
    }
  }

  #show(view: EndpointView): void {
    const before = JSON.stringify(this.#view);
    this.#view = view;
    if (!this.#closed && JSON.stringify(view) !== before) this.#options.changed(view);
  }
}
