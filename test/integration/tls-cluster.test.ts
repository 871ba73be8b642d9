/**
 * A database of real nodes with certificates of our authority: replication, cluster bus and clients by mutual TLS, and
 * certificates renewed while everything is connected. What it shows is told in docs/adr/0009-trust.md.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { connect, type TLSSocket } from 'node:tls';
import { nodeConfig } from '../../src/control/node-config.ts';
import { ADMIN_USER, BUS_PORT_OFFSET, type Database, type NodeAssignment } from '../../src/domain/database.ts';
import { placeholderOf } from '../../src/domain/ids.ts';
import { type TlsFiles, tlsDirectives, tlsReload } from '../../src/domain/tls-directives.ts';
import { monotonicClock } from '../../src/platform/clock.ts';
import { type Credentials, clientOptions } from '../../src/trust/credentials.ts';
import { type Refusal, refusalOf } from '../../src/trust/peer.ts';
import * as admin from '../../src/valkey/admin.ts';
import { EngineReplyError, EngineUnreachable, NodeConnection } from '../../src/valkey/connection.ts';
import { parseInfo, textField } from '../../src/valkey/info.ts';
import { promote } from '../../src/valkey/promotion.ts';
import { startEngine } from '../support/start-engine.ts';
import { tempDir } from '../support/temp-dir.ts';
import { CONTROL, LOCALHOST, machine, type TestAuthority, testAuthority, writeTlsFiles } from '../support/trust.ts';
import { databaseOn, fleet } from '../support/worlds.ts';

const PATIENCE_MS = 20_000;
const POLL_MS = 20;

/** Polls until it holds; fails with what it was last. */
async function until<T>(what: string, ask: () => Promise<T>, holds: (seen: T) => boolean): Promise<T> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const seen = await ask();
    if (holds(seen)) return seen;
    assert.ok(performance.now() < deadline, `${what}; last seen: ${JSON.stringify(seen)}`);
    await pause(POLL_MS);
  }
}

interface TlsNode {
  place: NodeAssignment;
  files: TlsFiles;
  tlsDir: string;
  connection: NodeConnection;
}

/** Starts the node of this place, at a free port of loopback. */
async function startNode(
  t: TestContext,
  database: Database,
  planned: NodeAssignment,
  credentials: Credentials,
  control: Credentials,
): Promise<TlsNode> {
  const tlsDir = tempDir(t);
  const files = writeTlsFiles(tlsDir, credentials);
  const at = (port: number): NodeAssignment => ({ ...planned, host: LOCALHOST, port });
  const { port } = await startEngine(t, {
    args: (chosen) => {
      const place = at(chosen);
      const nodes = database.nodes.map((node) => (node.id === place.id ? place : node));
      const { directives, aclFile, nodesConf } = nodeConfig({ ...database, nodes }, place, place.birth.role);
      const own = { 'cluster-config-file': join(tlsDir, 'nodes.conf'), aclfile: join(tlsDir, 'users.acl') };
      writeFileSync(own['cluster-config-file'], nodesConf);
      writeFileSync(own.aclfile, aclFile);
      const cluster = [['cluster-enabled', 'yes'], ...Object.entries(own), ...tlsDirectives(files, chosen)];
      return [...directives, ...cluster].flatMap(([name, ...values]) => [`--${name}`, ...values]);
    },
  });
  const place = at(port);
  return { place, files, tlsDir, connection: connectionTo(t, database, place, control) };
}

function connectionTo(t: TestContext, database: Database, place: NodeAssignment, control: Credentials): NodeConnection {
  const connection = new NodeConnection({
    host: place.host,
    port: place.port,
    username: ADMIN_USER,
    password: database.secrets.adminPassword,
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 5_000,
    maxQueued: 100,
    tls: () => clientOptions(control, { kind: 'machine', name: place.machine }),
  });
  t.after(() => connection.close());
  return connection;
}

/** A primary on machine-1 and its replica on machine-2, in sync, made as Valkeeper makes them. */
async function formed(t: TestContext): Promise<{
  authority: TestAuthority;
  control: Credentials;
  database: Database;
  primary: TlsNode;
  replica: TlsNode;
}> {
  const authority = await testAuthority();
  const control = await authority.credentials(CONTROL);
  const database = databaseOn(fleet(2), { shards: 1, replicas: 1, persistence: 'none' });
  const started: TlsNode[] = [];
  for (const planned of database.nodes) {
    // The engine does not look at addresses and names: these fit nothing here.
    const credentials = await authority.credentials(machine(planned.machine), { addresses: ['192.0.2.1'] });
    started.push(await startNode(t, database, planned, credentials, control));
  }
  const [primary, replica] = started;
  assert.ok(primary && replica);
  await admin.failover(primary.connection, 'takeover');
  await until(
    'it owns its slots',
    () => admin.observeNode(primary.connection),
    ({ replication }) => replication.role === 'primary',
  );
  await admin.forget(primary.connection, placeholderOf(primary.place.id));
  const { host, port, id } = primary.place;
  await admin.clusterMeet(replica.connection, host, port, port + BUS_PORT_OFFSET);
  const knows = (seen: admin.NodeObservation): boolean =>
    seen.nodes.some((node) => node.id === id && node.linkState === 'connected');
  await until('it knows the primary', () => admin.observeNode(replica.connection), knows);
  await admin.replicate(replica.connection, id);
  await until(
    'the link is up',
    () => admin.observeNode(replica.connection),
    ({ replication }) => replication.role === 'replica' && replication.linkUp,
  );
  return { authority, control, database, primary, replica };
}

const tlsInfo = async (node: NodeConnection, name: string): Promise<string> =>
  textField(parseInfo(String(await node.command('INFO', 'tls'))), name);

/** The serial number that a new connection is shown. */
async function shownSerial({ host, port }: NodeAssignment, control: Credentials): Promise<string> {
  const socket = connect({ host, port, ...clientOptions(control, { kind: 'machine' }) });
  await once(socket, 'secureConnect');
  const { serialNumber } = socket.getPeerX509Certificate()!;
  socket.destroy();
  return serialNumber;
}

/** What must not change while certificates are renewed: who is connected with whom, since when. */
async function links({ primary, replica }: { primary: TlsNode; replica: TlsNode }): Promise<string[]> {
  const seen: string[] = [];
  for (const { connection } of [primary, replica]) {
    const answer = (await connection.command('CLUSTER', 'LINKS')) as unknown[];
    for (const link of answer) {
      const fields = link instanceof Map ? Object.fromEntries(link) : pairs(link as unknown[]);
      seen.push(`bus ${fields['direction']} ${fields['node']} since ${fields['create-time']}`);
    }
    seen.push(`client ${await connection.command('CLIENT', 'ID')}`);
  }
  const replicas = String(await primary.connection.command('CLIENT', 'LIST', 'TYPE', 'REPLICA'));
  return [...seen.sort(), ...(replicas.match(/\bid=\d+/g) ?? []).map((id) => `replica ${id}`)];
}

const pairs = (list: readonly unknown[]): Record<string, unknown> =>
  Object.fromEntries(
    Array.from({ length: list.length / 2 }, (_, index) => [String(list[index * 2]), list[index * 2 + 1]]),
  );

describe('a database with TLS', () => {
  it('replicates, talks on its bus and fails over', async (t) => {
    const { primary, replica } = await formed(t);
    assert.equal(await admin.probeReplication(primary.connection, 'probe', 2_000), 1);
    // A replica can follow a primary that has not met it over the bus yet.
    const knowing = await until(
      'the primary knows it',
      () => admin.observeNode(primary.connection),
      ({ nodes }) => nodes.some(({ id }) => id === replica.place.id),
    );
    const [seen] = knowing.nodes.filter(({ id }) => id === replica.place.id);
    assert.deepEqual([seen?.port, seen?.busPort], [replica.place.port, replica.place.port + BUS_PORT_OFFSET]);
    // On a busy machine the engine gives one up after a second.
    await until(
      'it is the primary',
      () => promote(monotonicClock, replica.connection, 'coordinated'),
      ({ result }) => result === 'done',
    );
    await until(
      'the other follows',
      () => admin.observeNode(primary.connection),
      ({ replication }) => replication.role === 'replica' && replication.linkUp,
    );
  });

  it('takes nobody at its ports, bus included, who has no certificate of its authority', async (t) => {
    const { authority, control, primary } = await formed(t);
    const { host, port } = primary.place;
    const strange = {
      ...(await (await testAuthority()).credentials(machine('machine-2'))),
      bundle: [authority.certificate],
    };
    for (const at of [port, port + BUS_PORT_OFFSET]) {
      const visit = (options: object): TLSSocket => {
        const socket = connect({ host, port: at, minVersion: 'TLSv1.3', ...options });
        t.after(() => socket.destroy());
        return socket.resume();
      };
      // Who is let in gets a session; who is not hears why, when it keeps still.
      await once(visit(clientOptions(control, { kind: 'machine' })), 'session');
      const refused = async (options: object): Promise<Refusal | null> =>
        new Promise((resolve) => {
          const socket = visit(options).once('session', () => resolve(null));
          socket.once('error', (error) => resolve(refusalOf(error, { kind: 'machine' })));
        });
      assert.equal((await refused(clientOptions(strange, { kind: 'machine' })))?.why, 'refused_us');
      const none = { ca: authority.certificate, checkServerIdentity: () => undefined };
      assert.equal((await refused(none))?.why, 'refused_us');
      const plain = connectPlain(at, host);
      let bytes = 0;
      plain.on('error', () => {}).on('data', (data) => (bytes += data.length));
      plain.end('*1\r\n$4\r\nPING\r\n');
      await new Promise((resolve) => plain.once('close', resolve));
      assert.ok(bytes <= 7, 'an alert at the most');
    }
  });
});

describe('renewed certificates', () => {
  it('are taken by CONFIG SET, and everything that is connected stays', async (t) => {
    const cluster = await formed(t);
    const { authority, control } = cluster;
    const nodes = [cluster.primary, cluster.replica];
    const isWhole = (seen: readonly string[]): boolean =>
      ['from', 'to'].every((way) =>
        nodes.every(({ place }) => seen.some((link) => link.startsWith(`bus ${way} ${place.id}`))),
      );
    const before = await until('the bus has all its links', () => links(cluster), isWhole);
    for (const { place, tlsDir, files, connection } of nodes) {
      const renewed = await authority.credentials(machine(place.machine));
      const old = await shownSerial(place, control);
      assert.equal(await tlsInfo(connection, 'tls_server_cert_serial'), old);
      writeTlsFiles(tlsDir, renewed);
      assert.equal(await shownSerial(place, control), old, 'files alone change nothing at once');
      await admin.configSet(connection, tlsReload(files));
      const fresh = await shownSerial(place, control);
      assert.notEqual(fresh, old);
      assert.equal(await tlsInfo(connection, 'tls_server_cert_serial'), fresh);
    }
    assert.equal(await admin.probeReplication(cluster.primary.connection, 'probe', 2_000), 1);
    assert.deepEqual(await links(cluster), before);
    // And what connects anew does so with the new ones.
    await cluster.primary.connection.command('CLIENT', 'KILL', 'TYPE', 'REPLICA');
    await until(
      'the replica is back',
      () => admin.probeReplication(cluster.primary.connection, 'probe', 100),
      (replicas) => replicas === 1,
    );
  });

  it('are found by the node itself, at its interval', async (t) => {
    const { authority, control, primary } = await formed(t);
    await admin.configSet(primary.connection, { 'tls-auto-reload-interval': '1' });
    const old = await shownSerial(primary.place, control);
    writeTlsFiles(primary.tlsDir, await authority.credentials(machine('machine-1')));
    const fresh = await until(
      'it shows the new one',
      () => shownSerial(primary.place, control),
      (serial) => serial !== old,
    );
    assert.equal(await tlsInfo(primary.connection, 'tls_server_cert_serial'), fresh);
  });

  it('that do not fit are refused, and the old ones stay in use', async (t) => {
    const { authority, control, primary } = await formed(t);
    const old = await shownSerial(primary.place, control);
    const [one, other] = [
      await authority.credentials(machine('machine-1')),
      await authority.credentials(machine('machine-1')),
    ];
    for (const identity of [`${one.key}${other.certificate}`, 'nonsense']) {
      writeFileSync(primary.files.identity, identity);
      const refused = (error: unknown): boolean =>
        error instanceof EngineReplyError && /Unable to update TLS/.test(error.message);
      await assert.rejects(admin.configSet(primary.connection, tlsReload(primary.files)), refused);
      assert.equal(await shownSerial(primary.place, control), old);
    }
  });

  it('of a second authority are believed once it stands in the bundle', async (t) => {
    const { authority, database, primary, control } = await formed(t);
    const next = await testAuthority();
    const both = [authority.certificate, next.certificate];
    const nextControl = { ...(await next.credentials(CONTROL)), bundle: both };
    const early = connectionTo(t, database, primary.place, nextControl);
    const unknown = (error: unknown): boolean => error instanceof EngineUnreachable && /unknown ca/.test(error.message);
    await assert.rejects(early.command('PING'), unknown);
    writeTlsFiles(primary.tlsDir, { ...(await authority.credentials(machine('machine-1'))), bundle: both });
    await admin.configSet(primary.connection, tlsReload(primary.files));
    assert.equal(await early.command('PING'), 'PONG');
    assert.equal(await connectionTo(t, database, primary.place, control).command('PING'), 'PONG');
  });
});
