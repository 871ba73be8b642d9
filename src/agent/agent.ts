/**
 * The agent of one machine: it keeps the machine's nodes under supervision and tells the control plane all about them.
 * It starts and stops what it is asked to; what it does without being asked is its guard's (`guard.ts`).
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { ValkeeperError } from '../domain/errors.ts';
import type { NodeId } from '../domain/ids.ts';
import type { StartAs } from '../domain/start-as.ts';
import type { EndpointView } from '../domain/view.ts';
import { planShard } from '../plan/plan.ts';
import { monotonicClock } from '../platform/clock.ts';
import { AGENT_PROTOCOL, type AgentOperation, type AgentRequests, type Request } from '../protocol/agent-messages.ts';
import type { Answer, Question } from '../protocol/neighbour-messages.ts';
import { MachineCredentials } from '../trust/credential-files.ts';
import { Engines } from '../valkey/engines.ts';
import type { Agent, AgentOptions } from './agent-options.ts';
import { CertificateKeeper } from './certificate-keeper.ts';
import { checkArgs } from './check-args.ts';
import { cutLog } from './cut-log.ts';
import { dataOperations } from './data-operations.ts';
import { EndpointKeeper } from './endpoint-keeper.ts';
import { endpointOperations } from './endpoint-operations.ts';
import { FailoverLog } from './failover-log.ts';
import { freePorts, takenPorts } from './free-ports.ts';
import { Guard } from './guard.ts';
import { Housekeeping } from './housekeeping.ts';
import { KeptLogs } from './kept-logs.ts';
import { KnownServers } from './known-servers.ts';
import { Link } from './link.ts';
import { claimFolder, leaveFolder, makeFolder } from './machine-folder.ts';
import { NeighbourDoor } from './neighbour-door.ts';
import { Neighbours } from './neighbours.ts';
import { makeNode, type NodeDirectory, scanNodes, tail } from './node-directory.ts';
import type { NodeSurroundings } from './node-surroundings.ts';
import { hasDied, type OwnNode, requireEnd } from './own-node.ts';
import { PulseWatch } from './pulse.ts';
import { isAnyReached } from './reach.ts';
import { requireTls } from './require-tls.ts';
import { Roster } from './roster.ts';
import { Seeds } from './seeds.ts';
import { DECLINED } from './shard-keeper.ts';
import { SupervisedNode } from './supervised-node.ts';

/** Where everything stops, clients get no longer to leave. */
const ENDPOINT_GRACE_MS = 3_000;
/** Of a machine that was taken out while it was away, nodes end within this time. */
const REMOVED_GRACE_MS = 5_000;

/** Adopts the nodes that run, connects to the control plane, and serves it. @throws already_running, file_unusable, file_damaged, credentials_unusable, credentials_missing, neighbour_port_unusable, address_not_here, plain_text_refused */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  requireTls('What listens', options.credentials !== null, options);
  const dir = makeFolder(options.dir);
  await claimFolder(dir);
  const agent = new MachineAgent({ ...options, dir }, await Roster.open(dir));
  await agent.begin();
  return agent;
}

type Operations = { [O in AgentOperation]: (args: AgentRequests[O]['args']) => Promise<AgentRequests[O]['result']> };

class MachineAgent implements Agent {
  readonly closed: Promise<'shut-down' | 'detached'>;
  readonly #options: AgentOptions;
  readonly #seeds: Seeds;
  readonly #logs: KeptLogs;
  readonly #nodes = new Map<NodeId, SupervisedNode>();
  readonly #end: (how: 'shut-down' | 'detached') => void;
  readonly #endpoint: EndpointKeeper | null;
  readonly #credentials: MachineCredentials | null;
  readonly #certificate: CertificateKeeper | null;
  readonly #roster: Roster;
  readonly #neighbours: Neighbours;
  readonly #instance = randomBytes(8).toString('hex');
  #door: NeighbourDoor | null = null;
  #link: Link | null = null;
  #failovers: FailoverLog | null = null;
  #pulse: PulseWatch | null = null;
  #guard: Guard | null = null;
  #housekeeping: Housekeeping | null = null;

  constructor(options: AgentOptions, roster: Roster) {
    const { promise, resolve } = Promise.withResolvers<'shut-down' | 'detached'>();
    this.closed = promise;
    this.#end = resolve;
    this.#options = options;
    this.#seeds = new Seeds(options.dir, options.machine, options.enginePath);
    this.#logs = new KeptLogs(options.machine, (id) => this.#nodes.get(id));
    this.#credentials = options.credentials && new MachineCredentials(options.credentials);
    const { endpointProgram: program, endpointWorkers: workers = 1, dir, machine, address, zone, log } = options;
    const { credentials: tls } = options;
    const changed = (endpoint: EndpointView) => this.#link?.tell({ type: 'endpoint', endpoint });
    this.#endpoint =
      program === null
        ? null
        : new EndpointKeeper({ program, workers, dir, machine, address, zone, tls, log, changed });
    this.#certificate = this.#credentials && this.#keepCertificate(this.#credentials);
    this.#roster = roster;
    this.#neighbours = new Neighbours({ roster, credentials: this.#credentials, token: options.token, log });
  }

  #keepCertificate(credentials: MachineCredentials): CertificateKeeper {
    const { machine, log, renewalJitter: jitter, renewalLookMs: lookMs } = this.#options;
    return new CertificateKeeper({
      ...{ credentials, machine, log, jitter, lookMs },
      renewed: () => this.readCredentials(),
      changed: (certificate) => this.#link?.tell({ type: 'certificate', certificate }),
    });
  }

  get #folder(): string {
    return join(this.#options.dir, 'nodes');
  }

  async begin(): Promise<void> {
    const { controlUrls, credentials, dir, log, token, welcomed, refused } = this.#options;
    const servers = await KnownServers.open(dir, controlUrls, credentials === null ? 'any' : 'https');
    const failovers = await FailoverLog.open(dir, (message) => this.#link?.tell(message), log);
    this.#failovers = failovers;
    this.#door = await this.#openDoor();
    const directories = await scanNodes(this.#folder);
    await Promise.all(
      directories.map(async (directory) => {
        const node = new SupervisedNode(directory, this.#surroundings());
        this.#nodes.set(node.id, node);
        const adopted = await node.adopt();
        const { database } = directory.manifest.config;
        if (adopted) log.info({ database, node: node.id, processId: node.pid }, 'Adopted a running node.');
        else log.info({ database, node: node.id }, 'Found a node that does not run.');
      }),
    );
    await this.#endpoint?.begin();
    const guard = this.#newGuard(failovers);
    this.#guard = guard;
    guard.begin();
    this.#pulse = new PulseWatch({
      nodes: () => this.#nodes.values(),
      ifEnded: this.#options.ifEnded ?? ((node) => guard.ifEnded(node.id)),
      changed: (node) => this.#nodeChanged(node),
      log,
    });
    this.#housekeeping = new Housekeeping({
      nodes: () => this.#nodes.values(),
      logs: this.#logs,
      folder: this.#folder,
      databases: () => this.#roster.databases,
      tellDisk: (disk) => this.#link?.tell({ type: 'disk', disk }) === true,
      changed: (node) => this.#nodeChanged(node),
      forks: this.#options.forks ?? {},
      log,
    });
    this.#link = new Link({
      servers,
      access: () => ({
        ...this.#certificate?.access(),
        ...(token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
      }),
      hello: () => this.#hello(),
      handle: (request) => this.#handle(request),
      welcomed: () => {
        failovers.tellAll();
        welcomed?.();
      },
      refused: (error) => {
        // What it has was given up, and others may have taken its place.
        if (error.code === 'machine_removed' && credentials !== null) void this.#shutDown(REMOVED_GRACE_MS);
        refused?.(error);
      },
      log,
    });
    this.#certificate?.begin(() => servers.all);
  }

  #openDoor(): Promise<NeighbourDoor> {
    const { dir, machine, address, neighbourPort: port, token, log } = this.#options;
    return NeighbourDoor.open({
      ...{ dir, machine, address, port, token, log },
      credentials: this.#credentials,
      roster: this.#roster,
      handle: (question, from) => this.#answer(question, from),
    });
  }

  async #answer(question: Question, from: string | null): Promise<Answer> {
    return this.#guard?.answer(question, from) ?? { kind: 'denied', reason: `${this.#options.machine} only begins` };
  }

  #newGuard(failovers: FailoverLog): Guard {
    const { machine, log } = this.#options;
    const credentials = this.#credentials;
    return new Guard({
      ...{ machine, failovers, log },
      roster: this.#roster,
      neighbours: this.#neighbours,
      nodes: this.#nodes,
      engines: new Engines(credentials && (() => credentials.current)),
      ...{ isAnyReached, plan: planShard, clock: monotonicClock },
      nudge: (databaseUid) => this.#endpoint?.nudge(databaseUid),
      waited: async (databaseUid, node) => (await this.#endpoint?.waitedFor(databaseUid, node)) ?? 0,
    });
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.detach();
    this.#endpoint?.detach();
    this.#finish('detached');
  }

  async readCredentials(): Promise<void> {
    if (!this.#credentials?.reload()) return;
    this.#options.log.info({}, 'The credentials were renewed.');
    this.#endpoint?.readCredentials();
    this.#door?.readCredentials();
    await Promise.all([...this.#nodes.values()].map((node) => node.exclusively(() => node.readCertificates())));
  }

  #finish(how: 'shut-down' | 'detached'): void {
    this.#housekeeping?.close();
    this.#certificate?.close();
    this.#pulse?.close();
    this.#guard?.close();
    this.#neighbours.close();
    void this.#door?.close();
    this.#link?.close();
    leaveFolder(this.#options.dir);
    this.#end(how);
  }

  #surroundings(): NodeSurroundings {
    const { enginePath, machine, address, log } = this.#options;
    return {
      enginePath,
      machine,
      address,
      credentials: this.#credentials,
      log,
      now: Date.now,
      changed: (node) => this.#nodeChanged(node),
    };
  }

  #nodeChanged(node: OwnNode): void {
    const report = node.report();
    const { database, process, pulse } = report;
    if (hasDied(node)) this.#guard?.nodeEnded(node.id); // first: clients wait
    this.#options.log.info({ database, node: node.id, process, pulse: pulse?.state }, 'A node changed.');
    this.#link?.tell({ type: 'node', node: report });
  }

  #hello() {
    const { machine, address, zone, memoryBytes, engineVersion } = this.#options;
    const nodes = [...this.#nodes.values()].map((node) => node.report());
    const { pid } = process;
    return {
      type: 'hello',
      protocol: AGENT_PROTOCOL,
      machine,
      address,
      zone,
      memoryBytes,
      pid,
      instance: this.#instance,
      engineVersion,
      certificate: this.#certificate?.view ?? null,
      tls: this.#credentials !== null,
      nodes,
      endpoint: this.#endpoint?.view ?? null,
      neighbourPort: this.#door?.port ?? null,
    } as const;
  }

  async #handle({ operation, args }: Request): Promise<unknown> {
    checkArgs(operation, args);
    const operations: Operations = {
      create_node: (config) => this.#create(config),
      ...dataOperations(this.#seeds, this.#logs, (id) => this.#housekeeping?.forkRoom(id) ?? null),
      configure_node: ({ id, pid, directives }) => this.#exclusively(id, (node) => node.configure(pid, directives)),
      write_users: ({ id, aclFile }) => this.#exclusively(id, (node) => node.writeUsers(aclFile)),
      start_node: ({ id, as, after }) => this.#start(id, as, after),
      stop_node: ({ id, pid, graceMs }) => this.#exclusively(id, (node) => node.stopProcess(pid, graceMs)),
      replace_primary: async (wish) => (await this.#guard?.replacePrimary(wish)) ?? DECLINED,
      cut_log: ({ id }) =>
        this.#exclusively(id, (node) =>
          node.mend((directory) => cutLog(directory, this.#options.enginePath, this.#options.machine)),
        ),
      set_data_aside: ({ id }) => this.#exclusively(id, (node) => node.mend((directory) => this.#setAside(directory))),
      remove_node: (wish) => this.#remove(wish),
      free_ports: ({ count, avoid }) => this.#freePorts(count, avoid),
      taken_ports: async ({ ports }) => ({ taken: await takenPorts(this.#options.address, ports) }),
      ...endpointOperations(this.#endpoint, this.#options.machine),
      set_voters: async (voters) => {
        await this.#roster.setVoters(voters);
        return { version: this.#roster.voters.version };
      },
      guard_databases: async ({ databases }) => {
        await this.#roster.guard(databases);
        return {};
      },
      forget_failover: async ({ id, version }) => {
        await this.#failovers?.forget(id, version);
        return {};
      },
      read_log: (wish) => this.#readLog(wish),
      shut_down: ({ graceMs }) => this.#shutDown(graceMs),
    };
    const work = operations[operation] as (args: unknown) => Promise<unknown>;
    return work(args);
  }

  #exclusively<T>(id: NodeId, work: (node: SupervisedNode) => Promise<T>): Promise<T> {
    const node = this.#nodes.get(id);
    if (!node)
      return Promise.reject(new ValkeeperError('node_not_found', { node: id, machine: this.#options.machine }));
    return node.exclusively(() => work(node));
  }

  /** As what its disk says it starts only where nobody may have taken its place. */
  async #start(id: NodeId, as: StartAs, after?: number): Promise<{ pid: number }> {
    if (as.kind === 'itself' && this.#guard?.mayDecide === false)
      throw new ValkeeperError('lease_run_out', { node: id, machine: this.#options.machine });
    return this.#exclusively(id, (node) => {
      requireEnd(node, after, this.#options.machine);
      return node.start(as);
    });
  }

  /** Repeating it is harmless: a node that exists is only started. One that never ran is not left behind. */
  async #create(config: AgentRequests['create_node']['args']): Promise<{ pid: number }> {
    const existing = this.#nodes.get(config.id);
    if (existing) return this.#start(config.id, { kind: 'itself' });
    const { address, machine } = this.#options;
    const files = config.tls ? this.#credentials?.files : null;
    if (files === undefined) {
      const { id: node, database } = config;
      throw new ValkeeperError('credentials_missing', { node, database, machine });
    }
    requireTls(`A node of ${config.database}`, config.tls, this.#options);
    const directory = makeNode(
      this.#folder,
      config,
      address,
      files,
      config.seeded ? this.#seeds.take(config.id) : null,
    );
    const node = new SupervisedNode(directory, this.#surroundings());
    this.#nodes.set(config.id, node);
    try {
      return await node.exclusively(() => node.start({ kind: 'itself' }));
    } catch (error) {
      this.#nodes.delete(config.id);
      await node.destroy();
      this.#link?.tell({ type: 'node-removed', id: config.id });
      throw error;
    }
  }

  async #setAside(directory: NodeDirectory): Promise<Record<string, never>> {
    const { machine } = this.#options;
    if (!directory.damage())
      throw new ValkeeperError('nothing_to_mend', { node: directory.manifest.config.id, machine });
    directory.setDataAside();
    return {};
  }

  async #remove({ id, databaseUid }: AgentRequests['remove_node']['args']): Promise<Record<string, never>> {
    const node = this.#nodes.get(id);
    if (!node) return {};
    if (node.directory.manifest.config.databaseUid !== databaseUid) {
      throw new ValkeeperError('foreign_node', { node: id, database: node.directory.manifest.config.database });
    }
    await node.exclusively(() => node.destroy());
    this.#nodes.delete(id);
    this.#link?.tell({ type: 'node-removed', id });
    return {};
  }

  async #freePorts(count: number, avoid: readonly number[]): Promise<{ ports: number[] }> {
    const [from, to] = this.#options.portRange;
    const taken = new Set([...avoid, ...[...this.#nodes.values()].map(({ port }) => port)]);
    return { ports: await freePorts(this.#options.address, { from, to }, count, taken) };
  }

  async #readLog({ id, lines }: AgentRequests['read_log']['args']): Promise<{ text: string }> {
    if (id === null) return { text: await tail(join(this.#options.dir, 'agent.log'), lines) };
    const node = this.#nodes.get(id);
    if (!node) throw new ValkeeperError('node_not_found', { node: id, machine: this.#options.machine });
    return { text: await node.directory.logTail(lines) }; // at once: the reader may wonder why a request takes long
  }

  async #shutDown(graceMs: number): Promise<Record<string, never>> {
    this.#guard?.rest();
    await this.#endpoint?.stop(Math.min(graceMs, ENDPOINT_GRACE_MS));
    await Promise.all([...this.#nodes.values()].map((node) => node.exclusively(() => node.stop(graceMs))));
    this.#options.log.info({}, 'The endpoint and all nodes have stopped, as asked; the agent ends.');
    setImmediate(() => this.#finish('shut-down')); // after the reply
    return {};
  }
}
