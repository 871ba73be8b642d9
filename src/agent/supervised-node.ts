/**
 * One node under supervision: its process is started, watched and stopped here, and every change is told at once.
 * It never starts by itself: whether a dead node may come back, and as what, others decide (the guard, the control plane).
 */
import { setTimeout as pause } from 'node:timers/promises';
import { ValkeeperError } from '../domain/errors.ts';
import type { StartAs } from '../domain/start-as.ts';
import { tlsReload } from '../domain/tls-directives.ts';
import type { DiskView, PulseState, PulseView } from '../domain/view.ts';
import { identify, isRunning, type ProcessIdentity } from '../platform/process-identity.ts';
import type { AgentRequests, NodeConfig, NodeReport } from '../protocol/agent-messages.ts';
import type { MachineCredentials } from '../trust/credential-files.ts';
import { configSet, myId } from '../valkey/admin.ts';
import { EngineReplyError, type EngineUnreachable, type NodeConnection } from '../valkey/connection.ts';
import { bootId, findProcess } from './find-process.ts';
import type { NodeDirectory } from './node-directory.ts';
import { copyIdentity, fence, requireIdentity } from './node-identity.ts';
import { connectTo, credentialsFor, type LineWish } from './node-line.ts';
import type { NodeSurroundings } from './node-surroundings.ts';
import { OutsideWatch } from './outside-watch.ts';
import { ended, signal } from './process-end.ts';
import { spawnEngine } from './spawn-engine.ts';
import type { WrittenMark } from './written.ts';

const START_DEADLINE_MS = 10_000;
const START_POLL_MS = 4;
/** From SIGKILL to the end; a process that a disk holds in the kernel takes longer. */
const KILL_DEADLINE_MS = 10_000;
const LOG_LINES_IN_ERROR = 8;
/** In OpenSSL's words for what the other side has against us. */
const TLS_ALERT = /\balert\b/;
const NO_FORK = { told: {}, isAsked: false };

export class SupervisedNode {
  readonly directory: NodeDirectory;
  readonly #around: NodeSurroundings;
  #process: ProcessIdentity | null = null;
  #disk: DiskView;
  #stopping = false;
  readonly #madeAt: number;
  /** Why this agent ended the process; null when it did not. */
  #endedBecause: string | null = null;
  /** What the present process is about, as it is told. */
  pulse: PulseView = { state: 'well', since: 0 };
  /** Of snapshots and new logs: what it waits for, and whether its valkey.conf waits for a first snapshot. */
  fork: { told: Pick<NodeReport, 'postponed'>; isAsked: boolean; isLogLong?: boolean } = NO_FORK;
  /** The state for which the last process was ended here; null: it ended by itself, or as asked. */
  endedFor: PulseState | null = null;
  /** How far the present process, or the last one, had come as a primary. */
  written: readonly WrittenMark[] = [];
  #watch: OutsideWatch | null = null;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(directory: NodeDirectory, around: NodeSurroundings) {
    this.directory = directory;
    this.#around = around;
    this.#madeAt = around.now();
    this.#disk = this.#lookAtDisk();
  }

  get id(): string {
    return this.directory.manifest.config.id;
  }

  get port(): number {
    return this.directory.manifest.config.port;
  }

  get pid(): number | null {
    return this.#process?.pid ?? null;
  }

  get claim(): DiskView['claim'] {
    return this.#lookAtDisk().claim;
  }

  /** The one that runs; null: none does. */
  get process(): ProcessIdentity | null {
    return this.#process;
  }

  get #tls(): MachineCredentials | null {
    return credentialsFor(this.directory.manifest.config, this.#around);
  }

  report(): NodeReport {
    const { config, lastExit } = this.directory.manifest;
    const { id, database, databaseUid, port } = config;
    const process: NodeReport['process'] = this.#process
      ? { state: 'running', pid: this.#process.pid }
      : (lastExit ?? { state: 'exited', how: 'died', at: this.#madeAt, detail: 'it was never started' });
    const pulse = this.#process ? this.pulse : null;
    return { id, database, databaseUid, port, process, pulse, disk: this.#disk, ...this.fork.told };
  }

  /** One request at a time. */
  exclusively<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  /**
   * Finds the node's process after a restart of the agent and watches it; without one it is known to be dead.
   * @returns whether a process was adopted. @throws credentials_missing
   */
  async adopt(): Promise<boolean> {
    void this.#tls; // without its credentials it can be neither asked nor watched
    const found = findProcess(this.directory);
    if (!found) {
      if (this.directory.manifest.process) await this.#noteExit('died', 'it ended while no agent watched');
      return false;
    }
    this.#begin(found);
    this.#watchFromOutside(found);
    await this.#remember({ process: { ...found, bootId: bootId() }, lastExit: null });
    await this.#compareIdentity();
    return true;
  }

  /**
   * Starts the process and waits until it accepts connections. A running one is left alone; one that fails is gone
   * when this rejects. @throws node_not_started, node_data_damaged, port_taken, node_identity_lost, file_unusable
   */
  async start(as: StartAs): Promise<{ pid: number }> {
    if (this.pid === null && findProcess(this.directory)) await this.adopt();
    if (this.pid !== null) return { pid: this.pid };
    const { address: host, log } = this.#around;
    const self = { id: this.id, host, port: this.port };
    if (as.kind === 'replica') {
      const { wasForeign } = await fence(this.directory.path, self, as.primary);
      // CLUSTER RESET, which may have made it another, is in its log, too, and would be done again at every start.
      if (wasForeign) this.directory.setDataAside();
    } else await requireIdentity(this.directory.path, self.id, log, as.yields);
    this.directory.setAsideSnapshot();
    this.directory.startLog.begin(this.#around.now());
    if (this.directory.damage()) throw await this.#notStarted('');
    const found = await this.#spawn();
    try {
      await this.#accepting(found);
    } catch (error) {
      await this.#kill(found);
      await this.#exited(found, 'it did not start');
      throw error;
    }
    this.#around.changed(this);
    await copyIdentity(this.directory.path, this.id, this.#around.log);
    return { pid: found.pid };
  }

  /** To be called from time to time: the copy of its nodes.conf follows, and a damage that a person mended is forgotten. */
  async tend(): Promise<void> {
    if (this.#process) await copyIdentity(this.directory.path, this.id, this.#around.log);
    else if (this.#disk.damage && !this.directory.damage()) this.#lookAgain();
  }

  /** Changes files that a process would use. @throws node_runs, or what the work throws */
  async mend<T>(work: (directory: NodeDirectory) => Promise<T>): Promise<T> {
    const { pid, id: node } = this;
    if (pid !== null) throw new ValkeeperError('node_runs', { node, machine: this.#around.machine, pid });
    const result = await work(this.directory);
    this.#lookAgain();
    return result;
  }

  /**
   * Its valkey.conf is written anew; the process is left alone. Not written while a start by it would not find the data,
   * or when another process runs than the one that was looked at.
   * @throws file_unusable, invalid_value
   */
  async configure(
    pid: number,
    directives: NodeConfig['directives'],
  ): Promise<AgentRequests['configure_node']['result']> {
    if (pid !== this.pid) return { written: false, reason: `process ${pid} has ended` };
    const lacks = this.directory.lacksYet(directives, this.#around.now());
    this.fork = { ...this.fork, isAsked: lacks === 'fresh snapshot' };
    if (lacks) return { written: false, reason: `there is no ${lacks} yet` };
    await this.directory.writeConf(directives, this.#around.address, this.#tls?.files ?? null);
    this.#lookAgain();
    return { written: true };
  }

  /** Its ACL file is written anew; the process reads it when it is told to. @throws file_unusable */
  async writeUsers(aclFile: string): Promise<Record<string, never>> {
    await this.directory.writeUsers(aclFile);
    this.#lookAgain();
    return {};
  }

  /**
   * The process reads its certificates anew, if it runs and speaks TLS; what is connected stays. What fails is logged:
   * the engine looks at its files by itself, too.
   */
  async readCertificates(): Promise<void> {
    const tls = this.#tls;
    if (tls === null || this.pid === null) return;
    const connection = this.connect();
    try {
      await configSet(connection, tlsReload(tls.files));
    } catch (error) {
      const reason = (error as Error).message;
      this.#around.log.error({ node: this.id, reason }, 'A node did not read its renewed certificates.');
    } finally {
      connection.close();
    }
  }

  /** Ends this process and no other. @throws node_not_ended */
  async stopProcess(pid: number, graceMs: number): Promise<{ stopped: boolean }> {
    if (this.pid !== pid) return { stopped: false };
    await this.stop(graceMs);
    return { stopped: true };
  }

  /** Ends the process: cleanly, and by force after `graceMs`. @throws node_not_ended */
  async stop(graceMs: number): Promise<void> {
    const running = this.#process;
    if (!running) return;
    this.#stopping = true;
    try {
      signal(running, 'SIGTERM');
      if (!(await ended(running, graceMs))) await this.#kill(running);
      await this.#exited(running, 'stopped by request');
    } finally {
      this.#stopping = false;
    }
  }

  /** A connection to it, not open yet. @throws credentials_missing */
  connect(wish: LineWish = {}): NodeConnection {
    return connectTo(this.directory.manifest.config, this.#around, wish);
  }

  /** Ends the process at once; it counts as died, since nobody wanted it gone for good. @throws node_not_ended */
  async end(why: string): Promise<void> {
    const running = this.#process;
    if (!running) return;
    this.#endedBecause = why;
    await this.#kill(running);
    await this.#exited(running, why);
  }

  /** Ends the process at once and removes all it had. @throws node_not_ended, file_unusable: then nothing was removed */
  async destroy(): Promise<void> {
    if (this.#process) await this.#kill(this.#process);
    this.#process = null;
    this.detach();
    await this.directory.remove();
  }

  /** Stops watching; the process goes on. */
  detach(): void {
    this.#watch?.close();
    this.#watch = null;
  }

  async #spawn(): Promise<ProcessIdentity> {
    const child = spawnEngine(this.#around.enginePath, this.directory);
    child.unref();
    const failure = new Promise<string>((resolve) => child.once('error', ({ message }) => resolve(message)));
    if (child.pid === undefined) throw await this.#notStarted(await failure);
    const found = identify(child.pid);
    if (!found) throw await this.#notStarted('it ended at once');
    this.#begin(found);
    child.once('exit', (code, name) => {
      void this.#exited(found, name ? `ended by ${name}` : `exit code ${code}`);
    });
    await this.#remember({ process: { ...found, bootId: bootId() }, lastExit: null });
    return found;
  }

  /** A full disk must not change what is done and told: the next agent finds a process by its folder, too. */
  async #remember(change: Parameters<NodeDirectory['save']>[0]): Promise<void> {
    await this.directory.save(change).catch((error: unknown) => {
      this.#around.log.error({ node: this.id, err: error }, 'A note about a node could not be written.');
    });
  }

  async #kill(running: ProcessIdentity): Promise<void> {
    signal(running, 'SIGKILL');
    if (await ended(running, KILL_DEADLINE_MS)) return;
    const { machine } = this.#around;
    throw new ValkeeperError('node_not_ended', {
      node: this.id,
      machine,
      pid: running.pid,
      seconds: KILL_DEADLINE_MS / 1000,
    });
  }

  async #accepting(found: ProcessIdentity): Promise<void> {
    const connection = this.connect();
    const deadline = performance.now() + START_DEADLINE_MS;
    const { tls } = this.directory.manifest.config;
    try {
      while (isRunning(found)) {
        try {
          // A node of the same database would admit us, too: only the id tells who listens there.
          if ((await myId(connection)) !== this.id) throw this.#portTaken();
          return;
        } catch (error) {
          if (error instanceof ValkeeperError) throw error;
          if (error instanceof EngineReplyError && error.code === 'LOADING') return;
          const { reason, message } = error as EngineUnreachable;
          // With TLS it may be our certificate that is not taken: then the node itself says so.
          if (reason === 'not_admitted' && !(tls && TLS_ALERT.test(message))) throw this.#portTaken();
          if (performance.now() > deadline)
            throw await this.#notStarted(`it did not answer within ${START_DEADLINE_MS} ms (${message})`);
        }
        await pause(START_POLL_MS);
      }
    } finally {
      connection.close();
    }
    const log = await this.directory.logTail(LOG_LINES_IN_ERROR);
    throw /bind: Address already in use|Failed listening on port/.test(log)
      ? this.#portTaken()
      : await this.#notStarted('it ended at once');
  }

  async #notStarted(problem: string): Promise<ValkeeperError> {
    const damage = this.directory.damage();
    if (damage) {
      const { file, problem } = damage;
      return new ValkeeperError('node_data_damaged', { node: this.id, machine: this.#around.machine, file, problem });
    }
    const log = await this.directory.logTail(LOG_LINES_IN_ERROR);
    return new ValkeeperError('node_not_started', { node: this.id, machine: this.#around.machine, problem, log });
  }

  #portTaken(): ValkeeperError {
    const { address, machine } = this.#around;
    return new ValkeeperError('port_taken', { port: this.port, machine, address });
  }

  #lookAgain(): void {
    this.#disk = this.#lookAtDisk();
    this.#around.changed(this);
  }

  #lookAtDisk(): DiskView {
    const { log, machine } = this.#around;
    return this.directory.disk((error) => {
      log.error({ err: error, node: this.id, machine }, 'The files of a node cannot be read; it may hold data.');
    });
  }

  /**
   * An adopted process is the node's by its number, start time and folder, and the folder is in use: it is kept and told
   * as running whatever it calls itself. The control plane sees another id for itself; the log says it here.
   */
  async #compareIdentity(): Promise<void> {
    const { log } = this.#around;
    const connection = this.connect();
    try {
      const found = await myId(connection);
      if (found !== this.id) log.error({ node: this.id, found }, 'An adopted node calls itself something else.');
    } catch (error) {
      const reason = (error as Error).message;
      log.warn({ node: this.id, reason }, 'An adopted node does not say who it is: its process is all the evidence.');
    } finally {
      connection.close();
    }
  }

  #watchFromOutside(found: ProcessIdentity): void {
    this.#watch = new OutsideWatch({
      process: found,
      connect: (onLost) => this.connect({ onLost }),
      onEnd: () => void this.#exited(found, 'its process is gone'),
    });
  }

  #begin(found: ProcessIdentity): void {
    this.#process = found;
    this.endedFor = null;
    this.written = [];
    this.fork = NO_FORK;
    this.pulse = { state: 'well', since: this.#around.now() };
  }

  async #exited(which: ProcessIdentity, detail: string): Promise<void> {
    if (this.#process !== which) return;
    this.#process = null;
    this.fork = NO_FORK;
    this.detach();
    const why = this.#endedBecause ?? detail;
    this.#endedBecause = null;
    await this.#noteExit(this.#stopping ? 'stopped' : 'died', why);
  }

  async #noteExit(how: 'stopped' | 'died', detail: string): Promise<void> {
    const lastExit = { state: 'exited', how, at: this.#around.now(), detail } as const;
    const remembered = this.#remember({ process: null, lastExit });
    this.#lookAgain();
    await Promise.all([remembered, copyIdentity(this.directory.path, this.id, this.#around.log)]);
  }
}
