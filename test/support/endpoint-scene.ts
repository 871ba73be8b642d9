/** A cluster of real engines with an endpoint in front of it, within the test's own process. */
import { createHash } from 'node:crypto';
import type { TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { splitEvenly } from '../../src/domain/slots.ts';
import { type TlsFiles, tlsDirectives } from '../../src/domain/tls-directives.ts';
import { ENDPOINT_PROTOCOL, type EndpointConfig, type EndpointUser } from '../../src/protocol/endpoint-messages.ts';
import { Endpoint } from '../../src/proxy/endpoint.ts';
import type { Limits } from '../../src/proxy/limits.ts';
import type { Service } from '../../src/proxy/service.ts';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { freePort, type RunningEngine, startEngine } from './start-engine.ts';
import { tempDir } from './temp-dir.ts';
import { CONTROL, machine, type TestAuthority, testAuthority, writeTlsFiles } from './trust.ts';

export const ADMIN_PASSWORD = 'admin-secret';
/** Of the endpoint and all nodes. */
const MACHINE = 'machine-1';

export interface SceneOptions {
  shards?: number;
  replicas?: number;
  /** Of the user `default`; none: enters without. */
  password?: string;
  /** More users: name, password, ACL rules. */
  users?: readonly { name: string; password: string; rules: string }[];
  limits?: Partial<Limits>;
  read?: EndpointConfig['databases'][number]['read'];
  /** Replicas that must have a write before it is answered. */
  acknowledgements?: number;
  /** Of the endpoint, and of the nodes: primaries first. */
  zone?: string;
  zones?: readonly string[];
  engineArgs?: readonly string[];
  /** Nodes that speak TLS, and credentials for the endpoint's machine. */
  tls?: boolean;
}

export interface SceneNode extends RunningEngine {
  id: string;
  shard: number;
  /** As Valkeeper's own user. */
  admin: NodeConnection;
}

export interface Scene {
  host: string;
  port: number;
  nodes: SceneNode[];
  /** `nodes`, the primaries at the beginning: one a shard. */
  primaries: SceneNode[];
  replicas: SceneNode[];
  endpoint: Endpoint;
  service: Service;
  config: EndpointConfig;
  /** With `tls`. */
  trust: SceneTrust | null;
}

export interface SceneTrust {
  authority: TestAuthority;
  /** Of the machine, where its files lie, and of the control plane. */
  files: TlsFiles;
  dir: string;
  control: Credentials;
}

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Starts it; everything ends with the test. */
export async function endpointScene(t: Pick<TestContext, 'after'>, options: SceneOptions = {}): Promise<Scene> {
  const {
    shards = 3,
    replicas = 0,
    password,
    users = [],
    limits = {},
    read = 'primary',
    acknowledgements = 0,
    zone = '',
    zones = [],
  } = options;
  const trust = options.tls ? await sceneTrust(t) : null;
  const nodes = await Promise.all(
    Array.from({ length: shards * (1 + replicas) }, (_, index) => startNode(t, index % shards, options, trust)),
  );
  const primaries = nodes.slice(0, shards);
  await form(primaries, nodes.slice(shards));
  const database = {
    ...{
      name: 'scene',
      uid: 'scene-uid',
      port: await freePort(),
      adminPassword: ADMIN_PASSWORD,
      read,
      acknowledgements,
      tls: 'optional' as const,
    },
    users: [
      { name: 'default', passwordSha256: password === undefined ? null : sha256(password) },
      ...users.map(({ name, password: secret }): EndpointUser => ({ name, passwordSha256: sha256(secret) })),
    ],
    nodes: nodes.map(({ id, host, port }, index) => ({
      ...{ id, machine: MACHINE, host, port, tls: trust !== null, zone: zones[index] ?? '' },
    })),
  };
  const config: EndpointConfig = {
    ...{
      protocol: ENDPOINT_PROTOCOL,
      machine: MACHINE,
      address: '127.0.0.1',
      zone,
      tls: trust?.files ?? null,
      workers: 1,
    },
    ...{ metricsPort: null, databases: [database] },
  };
  let lastId = 0;
  const endpoint = new Endpoint({
    ...{ limits, nextClientId: () => ++lastId, askOthers: async () => [] },
  });
  t.after(() => endpoint.close());
  await endpoint.serve(config);
  const service = endpoint.services()[0]!;
  await until('the endpoint knows all slots', async () => service.map.isComplete);
  return {
    ...{ host: '127.0.0.1', port: database.port, nodes, primaries, replicas: nodes.slice(shards) },
    ...{ endpoint, service, config, trust },
  };
}

async function sceneTrust(t: Pick<TestContext, 'after'>): Promise<SceneTrust> {
  const authority = await testAuthority();
  const dir = tempDir(t);
  const files = writeTlsFiles(dir, await authority.credentials(machine(MACHINE)));
  return { authority, dir, files, control: await authority.credentials(CONTROL) };
}

async function startNode(
  t: Pick<TestContext, 'after'>,
  shard: number,
  options: SceneOptions,
  trust: SceneTrust | null,
): Promise<SceneNode> {
  const { password, users = [], engineArgs = [] } = options;
  const engine = await startEngine(t, {
    args: (port) => [
      ...['--cluster-enabled', 'yes', '--cluster-databases', '16', '--cluster-node-timeout', '5000'],
      ...['--cluster-require-full-coverage', 'no', '--cluster-allow-replica-migration', 'no'],
      ...['--repl-diskless-sync-delay', '0', '--repl-diskless-load', 'on-empty-db', '--hash-seed', 'scene'],
      ...['--primaryuser', 'valkeeper', '--primaryauth', ADMIN_PASSWORD, '--appendonly', 'no'],
      ...(trust ? tlsDirectives(trust.files, port).flatMap(([name, value]) => [`--${name}`, value]) : []),
      ...engineArgs,
    ],
  });
  const connect = (credentials: { username?: string; password?: string }) =>
    new NodeConnection({
      ...{ host: engine.host, port: engine.port, ...credentials },
      ...(trust ? { tls: () => clientOptions(trust.control, { kind: 'machine', name: MACHINE }) } : {}),
      ...{ connectTimeoutMs: 2_000, commandTimeoutMs: 5_000, maxQueued: 1_000 },
    });
  const first = connect({});
  const setUser = (name: string, secret: string, rules: string) =>
    first.command('ACL', 'SETUSER', name, 'on', secret, ...rules.split(' '));
  await setUser('valkeeper', `>${ADMIN_PASSWORD}`, '~* &* alldbs +@all');
  for (const user of users) await setUser(user.name, `>${user.password}`, user.rules);
  if (password !== undefined) await first.command('ACL', 'SETUSER', 'default', 'resetpass', `>${password}`);
  first.close();
  const admin = connect({ username: 'valkeeper', password: ADMIN_PASSWORD });
  t.after(() => admin.close());
  return { ...engine, shard, admin, id: String(await admin.command('CLUSTER', 'MYID')) };
}

async function form(primaries: readonly SceneNode[], replicas: readonly SceneNode[]): Promise<void> {
  const ranges = splitEvenly(primaries.length);
  const all = [...primaries, ...replicas];
  await Promise.all(
    primaries.map(async ({ admin }, shard) => {
      await admin.command('CLUSTER', 'SET-CONFIG-EPOCH', shard + 1);
      await admin.command('CLUSTER', 'ADDSLOTSRANGE', ...ranges[shard]!);
    }),
  );
  for (const one of all) {
    for (const { host, port } of all) if (port !== one.port) await one.admin.command('CLUSTER', 'MEET', host, port);
  }
  await until('all nodes have met', async () => {
    const texts = await Promise.all(all.map(({ admin }) => admin.command('CLUSTER', 'NODES')));
    return texts.every(
      (text) => all.every(({ id }) => String(text).includes(id)) && !String(text).includes('handshake'),
    );
  });
  await Promise.all(replicas.map(({ admin, shard }) => admin.command('CLUSTER', 'REPLICATE', primaries[shard]!.id)));
  await until('the cluster is whole', async () => {
    const infos = await Promise.all(all.map(({ admin }) => admin.command('CLUSTER', 'INFO')));
    if (!infos.every((info) => /cluster_state:ok[\s\S]*cluster_slots_ok:16384/.test(String(info)))) return false;
    const links = await Promise.all(replicas.map(({ admin }) => admin.command('INFO', 'replication')));
    return links.every((link) => String(link).includes('master_link_status:up'));
  });
}

const UNTIL_MS = 20_000;

/** Waits until something holds. @throws Error naming it when it does not come about */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = UNTIL_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await pause(20);
  }
}
