/** A control plane of this process that machines join over TLS: everything real but the engine, which it never needs. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startAgent } from '../../src/agent/agent.ts';
import type { Agent } from '../../src/agent/agent-options.ts';
import { joinFleet } from '../../src/agent/join-fleet.ts';
import { writeCredentials } from '../../src/agent/write-credentials.ts';
import { Agents } from '../../src/control/agents.ts';
import { ControlCredentials } from '../../src/control/control-credentials.ts';
import { createControlPlane, type RunningControlPlane } from '../../src/control/create-control-plane.ts';
import { fleetAuthority } from '../../src/control/fleet-authority.ts';
import type { ValkeeperError } from '../../src/domain/errors.ts';
import type { Event } from '../../src/domain/event.ts';
import { type FleetListener, listenForMachines } from '../../src/main/fleet-listener.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { openEventLog } from '../../src/store/events.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import type { Store } from '../../src/store/store.ts';
import type { Credentials } from '../../src/trust/credentials.ts';
import { createRequest } from '../../src/trust/request.ts';
import { tempDir } from './temp-dir.ts';
import { LOCALHOST, machine } from './trust.ts';

/** A failsafe, not a measure: what a test waits for happens long before. */
const PATIENCE_MS = 20_000;

export interface DoorWish {
  store?: Store;
  /** What its clock is ahead of ours, in ms. */
  aheadMs?: number;
  /** Of the certificates that it issues, and how often it looks whether its own is to be renewed. */
  validityMs?: number;
  lookMs?: number;
}

export interface AgentWish {
  lookMs?: number;
  refused?: (error: ValkeeperError) => void;
}

export class Door {
  readonly agents: Agents;
  readonly plane: RunningControlPlane;
  readonly listener: FleetListener;
  readonly credentials: ControlCredentials;
  readonly #t: TestContext;

  private constructor(
    t: TestContext,
    agents: Agents,
    plane: RunningControlPlane,
    listener: FleetListener,
    credentials: ControlCredentials,
  ) {
    this.credentials = credentials;
    this.#t = t;
    this.agents = agents;
    this.plane = plane;
    this.listener = listener;
  }

  static async open(t: TestContext, wish: DoorWish = {}): Promise<Door> {
    const { store = openMemoryStore(), aheadMs = 0, validityMs, lookMs } = wish;
    const dir = tempDir(t);
    const clock = { ...systemClock, now: () => Date.now() + aheadMs };
    const { log, close: closeLog } = createLogger({ name: 'server', file: join(dir, 'server.log'), level: 'info' });
    const agents = new Agents(clock);
    const authority = fleetAuthority(store, clock);
    let urls: string[] = [];
    const credentials = await ControlCredentials.open({
      ...{ authority, clock, log, addresses: [LOCALHOST], hostNames: [] },
      ...(validityMs === undefined ? {} : { validityMs }),
      ...(lookMs === undefined ? {} : { lookMs }),
    });
    const plane = await createControlPlane({
      ...{ store, agents, log, clock, version: '0', dataDir: dir, engineVersion: '9.1.2' },
      credentials: () => credentials.current,
      events: await openEventLog(store),
      readOwnLog: async () => '',
      entrance: { authority, joinUrls: () => urls, ...(validityMs === undefined ? {} : { validityMs }) },
    });
    const api = { handle: (_: IncomingMessage, response: { end: () => unknown }) => void response.end() };
    const listener = await listenForMachines(
      { address: LOCALHOST, port: 0 },
      {
        ...{ api, credentials, log, clock },
        seat: { agentHost: () => ({ agents, term: null, servers: [] }), joining: () => plane.entrance.joining },
      },
    );
    urls = [`https://${LOCALHOST}:${listener.port}`];
    t.after(async () => {
      agents.close();
      await listener.close();
      credentials.close();
      await plane.close();
      closeLog();
    });
    return new Door(t, agents, plane, listener, credentials);
  }

  get url(): string {
    return `https://${LOCALHOST}:${this.listener.port}`;
  }

  async token(wish: { ttlSeconds?: number; machine?: string } = {}): Promise<string> {
    return (await this.plane.joinTokens.create({ ttlSeconds: 3_600, labels: {}, ...wish })).token;
  }

  /** What a machine gets that asks at this door, with a key of its own unless one is given. */
  async join(name: string, change: { token?: string; key?: string; address?: string } = {}): Promise<Credentials> {
    const { token = await this.token(), key, address = addressOf(name) } = change;
    const wish = { token, name, address, zone: 'z', labels: {}, memoryBytes: 2 ** 28 };
    return joinFleet([this.url], wish, createRequest(machine(name), key));
  }

  /** A machine joins, and its agent runs in this process. */
  async agent(name: string, { lookMs, refused }: AgentWish = {}): Promise<TestAgent> {
    const address = addressOf(name);
    const dir = tempDir(this.#t);
    const files = { identity: join(dir, 'machine.pem'), authorities: join(dir, 'authorities.pem') };
    await writeCredentials(files, await this.join(name, { address }));
    const start = async (): Promise<Agent> => {
      const { log, close } = createLogger({ name: 'agent', file: join(dir, 'agent.log'), level: 'info' });
      const agent = await startAgent({
        ...{ dir: join(dir, 'machine'), machine: name, address, zone: 'z', memoryBytes: 2 ** 28, log },
        ...{
          enginePath: '/nowhere',
          engineVersion: '9.1.2',
          endpointProgram: null,
          portRange: [7000, 7999],
          neighbourPort: 0,
        },
        ...{ controlUrls: [this.url], token: null, credentials: files, plainText: false },
        renewalJitter: 0,
        ...(lookMs === undefined ? {} : { renewalLookMs: lookMs }),
        ...(refused ? { refused } : {}),
      });
      agent.closed.then(close);
      this.#t.after(() => agent.close());
      return agent;
    };
    return { files, dir, agent: await start(), start };
  }

  /** An event, once it has happened. */
  event(kind: Event['kind'], message: RegExp): Promise<Event> {
    return until(`an event ${kind} ${message}`, async () => {
      const events = await this.plane.events({ limit: 1_000 });
      return events.find((event) => event.kind === kind && message.test(event.message)) ?? null;
    });
  }

  /** All names of machines there are. */
  names(): string[] {
    return this.plane.fleet.statuses().map(({ name }) => name);
  }

  /** Any request, well-formed or not. */
  async ask(
    path: string,
    body: string,
    options: RequestOptions = {},
  ): Promise<{ status: number; answer: { code?: string; message?: string } }> {
    const outgoing = httpsRequest(this.url + path, {
      ...{ method: 'POST', agent: false, rejectUnauthorized: false },
      ...options,
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const text = (await response.toArray()).join('');
    return { status: response.statusCode!, answer: JSON.parse(text) as { code?: string; message?: string } };
  }
}

export interface TestAgent {
  files: { identity: string; authorities: string };
  dir: string;
  agent: Agent;
  /** Starts it again, or a second one. */
  start: () => Promise<Agent>;
}

/** Each name has its own loopback address. */
const addressOf = (name: string): string => `127.77.${name.length}.${(name.charCodeAt(0) % 250) + 1}`;

/** Asks until there is something. */
export async function until<T>(what: string, ask: () => Promise<T | null> | T | null): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await ask();
    if (found !== null) return found;
    if (performance.now() > deadline) throw new Error(`not in time: ${what}`);
    await systemClock.sleep(20);
  }
}
