/** A control plane, two machines with credentials and their endpoints, all real: a database that speaks TLS between all its parts. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { Redis } from 'ioredis';
import { Agents } from '../../src/control/agents.ts';
import { createControlPlane, type RunningControlPlane } from '../../src/control/create-control-plane.ts';
import { serveAgents } from '../../src/control/serve-agents.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createLogger } from '../../src/platform/log.ts';
import { openEventLog } from '../../src/store/events.ts';
import { openMemoryStore } from '../../src/store/memory.ts';
import { eventually, killAndWait } from '../support/agent-scene.ts';
import { testEngine } from '../support/engine.ts';
import { assertNothingLeft, processesUnder } from '../support/leaks.ts';
import { CONTROL, machine, type TestAuthority, testAuthority, writeTlsFiles } from '../support/trust.ts';

const AGENT_PROCESS = join(import.meta.dirname, '../support/agent-process.ts');
const ENDPOINT_PROGRAM = join(import.meta.dirname, '../../src/main/endpoint-process.ts');

class TlsFleet {
  readonly dir = realpathSync(mkdtempSync(join(tmpdir(), 'valkeeper-tls-fleet-')));
  readonly machines: { name: string; address: string; agent: ChildProcess }[] = [];
  readonly authority: TestAuthority;
  readonly control: RunningControlPlane;
  readonly #url: string;

  private constructor(authority: TestAuthority, control: RunningControlPlane, url: string) {
    this.authority = authority;
    this.control = control;
    this.#url = url;
  }

  static async start(t: TestContext): Promise<TlsFleet> {
    const authority = await testAuthority();
    const credentials = await authority.credentials(CONTROL);
    const store = openMemoryStore();
    const agents = new Agents(systemClock);
    const { log } = createLogger({ name: 'control', level: 'error', file: '/dev/null' });
    const control = await createControlPlane({
      ...{ store, agents, log, events: await openEventLog(store), clock: systemClock, credentials: () => credentials },
      ...{ version: '0', dataDir: '', engineVersion: '9.1.2', readOwnLog: async () => '' },
    });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    serveAgents(
      server,
      () => ({ agents, term: null, servers: [] }),
      () => ({ kind: 'local' }),
    );
    const fleet = new TlsFleet(authority, control, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    t.after(async () => {
      for (const { agent } of fleet.machines) agent.kill('SIGKILL');
      agents.close();
      await control.close();
      server.close();
      await store.close();
      for (const { pid } of processesUnder(fleet.dir)) await killAndWait(pid);
      rmSync(fleet.dir, { recursive: true, force: true });
      for (const { address } of fleet.machines) await assertNothingLeft(fleet.dir, address);
    });
    const names = ['alpha', 'beta'];
    const engine = await testEngine();
    for (const [index, name] of names.entries()) {
      const address = `127.${40 + (process.pid % 20)}.${process.pid % 250}.${11 + index}`;
      fleet.machines.push({ name, address, agent: await fleet.#startAgent(name, address, engine) });
    }
    await eventually('both machines', async () => control.fleet.statuses().filter((one) => one.connected).length === 2);
    return fleet;
  }

  /** Writes a machine's files, the first time and anew. */
  async issue(name: string, address: string) {
    const folder = join(this.dir, name, 'tls');
    mkdirSync(folder, { recursive: true });
    return writeTlsFiles(folder, await this.authority.credentials(machine(name), { addresses: [address] }));
  }

  async #startAgent(name: string, address: string, engine: { serverPath: string; version: string }) {
    const dir = join(this.dir, name);
    const options = {
      ...{
        dir,
        machine: name,
        address,
        zone: name,
        memoryBytes: 2 ** 30,
        credentials: await this.issue(name, address),
      },
      ...{ enginePath: engine.serverPath, engineVersion: engine.version, controlUrls: [this.#url], token: 'none' },
      ...{
        portRange: [7000, 7999],
        neighbourPort: 0,
        plainText: false,
        endpointProgram: ENDPOINT_PROGRAM,
        logFile: join(dir, 'agent.log'),
      },
    };
    return spawn(process.execPath, [AGENT_PROCESS, JSON.stringify(options)], { cwd: dir, stdio: 'ignore' });
  }

  async ready(name: string): Promise<DatabaseStatus> {
    await eventually(`${name} is ready`, async () => {
      const { state, conditions } = this.control.database(name);
      return state === 'ready' && conditions.every(({ code }) => code === 'copies_together');
    });
    return this.control.database(name);
  }
}

test('a database of machines with credentials works without anything in clear text, over a failover and a renewal', async (t) => {
  const fleet = await TlsFleet.start(t);
  const { control } = fleet;
  assert.ok(control.fleet.statuses().every(({ tls }) => tls));
  await control.createDatabase({ name: 'main', spec: { shards: 1, replicas: 1, memoryBytes: 64 * 1024 ** 2 } });
  const status = await fleet.ready('main');
  const { password } = control.password('main', 'default');
  const client = new Redis(status.spec.port, fleet.machines[0]!.address, {
    password: password!,
    retryStrategy: () => 50,
    maxRetriesPerRequest: null, // the endpoint's process takes a moment to start
  });
  client.on('error', () => {});
  t.after(() => client.disconnect());
  assert.equal(await client.set('k', 'v'), 'OK');

  for (const { host, port } of status.clusterEndpoints) {
    const plain = connect(port, host);
    let bytes = '';
    plain.on('error', () => {}).on('data', (data) => (bytes += data.toString('latin1')));
    plain.write('PING\r\n');
    await new Promise((resolve) => plain.once('close', resolve));
    assert.doesNotMatch(bytes, /NOAUTH|PONG/, 'a node answers nobody without a certificate');
  }

  const primary = status.shards[0]!.primary!;
  await killAndWait(primary.pid!);
  await eventually('the other copy took over', async () => {
    const now = control.database('main').shards[0]!.primary;
    return now !== null && now.nodeId !== primary.nodeId;
  });
  assert.equal(await client.get('k'), 'v');
  await fleet.ready('main');
  assert.equal(await client.set('k', 'w'), 'OK');

  const renewed = new Map<string, string>();
  for (const { name, address, agent } of fleet.machines) {
    const { identity } = await fleet.issue(name, address);
    renewed.set(
      address,
      new X509Certificate(readFileSync(identity, 'utf8').replace(/^[\s\S]*(?=-----BEGIN CERT)/, '')).serialNumber,
    );
    agent.kill('SIGHUP');
  }
  assert.equal(await client.get('k'), 'w');
  const late = new Redis(status.spec.port, fleet.machines[1]!.address, { password: password! });
  t.after(() => late.disconnect());
  assert.equal(await late.get('k'), 'w');
  const { pem } = control.authorities();
  assert.equal(pem.trim(), fleet.authority.certificate.trim());
  await control.updateDatabase('main', { tls: 'required' });
  const plain = async (): Promise<string> => {
    const socket = connect(status.spec.port, fleet.machines[0]!.address);
    let text = '';
    socket.on('error', () => {}).on('data', (data) => (text += data.toString('latin1')));
    socket.end('PING\r\n');
    await new Promise((resolve) => socket.once('close', resolve));
    return text;
  };
  await eventually('plain text is refused', async () => /TLS only/.test(await plain()));
  for (const { address } of fleet.machines) {
    const secured = new Redis(status.spec.port, address, { password: password!, tls: { ca: pem } });
    secured.on('error', () => {});
    t.after(() => secured.disconnect());
    assert.equal(await secured.get('k'), 'w', address);
    const serial = secured.stream as TLSSocket;
    assert.equal(serial.getPeerX509Certificate()!.serialNumber, renewed.get(address), 'the renewed certificate');
  }
  await control.deleteDatabase('main');
  await eventually('it is gone', async () => control.databases().length === 0);
});
