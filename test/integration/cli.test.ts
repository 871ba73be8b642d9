/** The command line against a running fleet: what it shows, what it refuses, and that refusals change nothing. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { PlacementExplanation } from '../../src/domain/placement.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { FleetStatus, PlanDocument } from '../../src/protocol/api.ts';
import { Fleet } from '../support/fleet.ts';
import { tempDir } from '../support/temp-dir.ts';

let fleet: Fleet;

before(async () => {
  fleet = await Fleet.start();
});
after(() => fleet.stop());

const names = async (): Promise<string[]> => {
  const result = await fleet.cli('db', 'list', '--json');
  return result.json<{ databases: DatabaseStatus[] }>().databases.map(({ name }) => name);
};

const refusals: [words: string, exit: number, code: string, says: RegExp][] = [
  ['db create main', 4, 'database_exists', /main exists already/],
  ['db create ../x', 2, 'invalid_name', /"\.\.\/x"/],
  ['db create Orders', 2, 'invalid_name', /"Orders"/],
  ['db create x --shards 0', 2, 'invalid_value', /--shards: must be 1 to 500, is 0/],
  ['db create x --shards 17000', 2, 'invalid_value', /--shards: .* is 17000/],
  ['db create x --memory lots', 2, 'invalid_value', /--memory: .* is lots/],
  ['db create x --memory 1mb', 2, 'invalid_value', /memory: 1mb over 3 shards/],
  ['db create x --memory 100tb', 5, 'not_enough_memory', /does not fit/],
  ['db create x --replicas 3', 2, 'invalid_value', /need 4 machines, connected and active: 3/],
  ['db create x --disk 5gb', 2, 'usage', /unknown option '--disk'/],
  ['db show nosuch', 3, 'database_not_found', /named nosuch/],
  ['db explain nosuch', 3, 'database_not_found', /named nosuch/],
  ['db show ../../etc/passwd', 3, 'database_not_found', /named \.\.\/\.\.\/etc\/passwd/],
  ['db delete nosuch --yes', 3, 'database_not_found', /named nosuch/],
  ['db delete main', 5, 'confirmation_needed', /Delete the database main/],
  ['db password nosuch', 3, 'database_not_found', /named nosuch/],
  ['db connect nosuch -- PING', 3, 'database_not_found', /named nosuch/],
  ['db plan nosuch/x', 2, 'invalid_name', /nosuch\/x/],
  ['logs nosuch', 3, 'log_not_found', /nosuch/],
  ['up --machines 7', 4, 'fleet_exists', /3 from 127/],
  ['server', 4, 'already_running', /process \d+/],
  ['agent --machine machine-1', 4, 'already_running', /process \d+/],
  ['agent --machine machine-9', 3, 'machine_not_found', /machine-9/],
];

for (const [words, exit, code, says] of refusals) {
  test(`refuses: ${words}`, async () => {
    const result = await fleet.cli('--json', ...words.split(' '));
    const { error } = result.json<{ error: Record<string, string> }>();
    assert.deepEqual([result.code, error['code']], [exit, code], result.stdout);
    assert.match(error['message']!, says);
    assert.ok(!/\{\w+\}/.test(error['message']! + error['hint']), 'every placeholder is filled');
    assert.deepEqual(await names(), ['main']);
  });
}

test('the API refuses unknown fields and changes nothing', async () => {
  const token = readFileSync(join(fleet.dir, 'token'), 'utf8');
  const response = await fetch(`http://127.0.0.1:${fleet.apiPort}/v1/databases`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'x', spec: { shards: 3, disks: 2 } }),
  });
  const problem = (await response.json()) as Record<string, unknown>;
  assert.deepEqual([response.status, problem['code']], [400, 'unknown_field']);
  assert.equal(problem['message'], 'spec.disks: unknown field');
  assert.deepEqual(await names(), ['main']);
});

for (const words of [
  'status',
  'db list',
  'db show main',
  'db explain main',
  'db password main',
  'db plan main',
  'machine list',
  'events',
]) {
  test(`one JSON document, nothing on stderr: ${words}`, async () => {
    const { code, stdout, stderr } = await fleet.cli(...words.split(' '), '--json');
    assert.deepEqual([code, stderr], [0, '']);
    assert.equal(typeof JSON.parse(stdout), 'object');
  });
}

test('up on a running directory shows its state and changes nothing', async () => {
  const before = (await fleet.cli('status', '--json')).json<FleetStatus>();
  const again = (await fleet.up('--json')).json<FleetStatus & { started: boolean; databases: DatabaseStatus[] }>();
  assert.deepEqual([again.started, again.pid, again.databases[0]?.state], [false, before.pid, 'ready']);
  assert.match((await fleet.up()).stdout, /main is ready/);
});

test('the line that up prints connects, without the password in it', async () => {
  const { stdout } = await fleet.up();
  const line = /^Connect +(.*)$/m.exec(stdout)?.[1] ?? '';
  const { password } = (await fleet.cli('db', 'password', 'main', '--json')).json<{ password: string }>();
  assert.match(line, /^REDISCLI_AUTH="\$\(.* db password main\)" .* -h 127\.[\d.]+ -p \d+$/);
  assert.ok(!stdout.includes(password));
  assert.equal((await fleet.cli('db', 'password', 'main')).stdout, `${password}\n`);
});

test('without certificates TLS is refused with the reason, and nothing is changed', async () => {
  for (const [words, code, exit] of [
    [['ca'], 'no_authority', 3],
    [['db', 'url', 'main', '--tls'], 'client_tls_unavailable', 5],
    [['db', 'create', 'secret', '--tls', 'required'], 'client_tls_unavailable', 5],
    [['db', 'update', 'main', '--tls', 'required'], 'client_tls_unavailable', 5],
    [['db', 'create', 'secret', '--tls', 'sometimes'], 'invalid_value', 2],
  ] as const) {
    const result = await fleet.cli(...words, '--json');
    assert.equal(result.json<{ error: { code: string } }>().error.code, code, words.join(' '));
    assert.equal(result.code, exit);
  }
  assert.match((await fleet.cli('db', 'url', 'main')).stdout, /^redis:\/\//);
  assert.deepEqual(await names(), ['main']);
});

test('db connect runs a command on whichever shard has the key', async () => {
  for (const key of ['a', 'b', 'c']) {
    assert.equal((await fleet.cli('db', 'connect', 'main', '--', 'SET', key, `value ${key}`)).stdout, 'OK\n');
  }
  const { exitCode, output } = (await fleet.cli('db', 'connect', 'main', '--json', '--', 'GET', 'b')).json<{
    exitCode: number;
    output: string;
  }>();
  assert.deepEqual([exitCode, output], [0, 'value b\n']);
});

test('a database is planned, created, shown and deleted', async () => {
  const wish = ['orders', '--shards', '2', '--replicas', '0', '--memory', '32mb', '--persistence', 'none', '--no-auth'];
  const plan = (await fleet.cli('db', 'plan', ...wish, '--json')).json<PlanDocument>();
  assert.equal(plan.steps.filter(({ kind }) => kind === 'create_node').length, 2);
  assert.deepEqual(await names(), ['main']);

  const created = (await fleet.cli('db', 'create', ...wish, '--json')).json<DatabaseStatus>();
  assert.equal(created.state, 'ready');
  assert.deepEqual(created.spec, {
    shards: 2,
    replicas: 0,
    memoryBytes: 32 * 1024 ** 2,
    persistence: 'none',
    durability: 'async',
    acknowledgements: 1,
    eviction: 'noeviction',
    auth: false,
    port: created.endpoint?.port,
    read: 'primary',
    clusterView: 'endpoint',
    tls: 'optional',
    users: [],
    replaceAfterSeconds: 60,
    pace: 'fast',
  });
  assert.ok(created.conditions.some(({ code }) => code === 'open_to_all'));
  const shown = (await fleet.cli('db', 'show', 'orders')).stdout;
  assert.match(shown, /^orders: ready, generation 1\n2 shards, 0 replicas each, 32mb, .*NO PASSWORD/);

  const alone = await fleet.cli('db', 'update', 'orders', '--durability', 'acknowledged');
  assert.equal(alone.code, 2);
  assert.match(alone.stderr, /1 replica must have each write, and each primary has 0 replicas/);

  const refused = (await fleet.cli('down', '--json')).json<{ error: { code: string; message: string } }>();
  assert.equal(refused.error.code, 'nothing_on_disk');
  assert.match(refused.error.message, /orders/);

  const deleted = await fleet.cli('db', 'delete', 'orders', '--yes', '--json');
  assert.deepEqual(deleted.json(), { name: 'orders', deleted: true });
  assert.deepEqual(await names(), ['main']);
});

test('db explain says why each node is where it is, and what to add where a rule cannot hold', async () => {
  const { stdout } = await fleet.cli('db', 'explain', 'main');
  assert.match(stdout, /^main: 3 shards, 1 replica each\nEach node reserves 122\.7mb: 85\.3mb for data/);
  assert.match(stdout, /^holds +apart +No two copies of a shard are on one machine\.$/m);
  assert.match(stdout, /^cannot hold +zones +shard-1 has 2 copies in the zone local\.$/m);
  assert.match(stdout, /^ +Add one machine with at least 368\.1mb for nodes in another zone than local\.$/m);
  const { nodes } = (await fleet.cli('db', 'explain', 'main', '--json')).json<PlacementExplanation>();
  const { shards } = (await fleet.cli('db', 'show', 'main', '--json')).json<DatabaseStatus>();
  const shown = shards.flatMap(({ primary, replicas }) => [primary!, ...replicas]);
  assert.deepEqual(
    nodes.map(({ node, machine }) => `${node} ${machine}`).sort(),
    shown.map(({ nodeId, machine }) => `${nodeId} ${machine}`).sort(),
  );
});

test('logs come from the server, from agents and from nodes', async () => {
  const { shards } = (await fleet.cli('db', 'show', 'main', '--json')).json<DatabaseStatus>();
  for (const source of ['server', 'machine-1', shards[0]!.primary!.nodeId.slice(0, 8)]) {
    const { code, stdout } = await fleet.cli('logs', source, '--lines', '2');
    assert.equal(code, 0);
    assert.ok(stdout.trim().length > 0 && stdout.trim().split('\n').length <= 2, stdout);
  }
});

/** Runs a command that has nothing to do with the fleet. */
function elsewhere(args: readonly string[], env: NodeJS.ProcessEnv) {
  const launcher = join(import.meta.dirname, '../../valkeeper');
  const { status, stdout } = spawnSync(launcher, args, { env: { ...fleet.env(), ...env }, encoding: 'utf8' });
  return { code: status, document: JSON.parse(stdout) as { error?: Record<string, string> } };
}

test('says that nothing runs, in every way', (t) => {
  const dir = tempDir(t);
  const list = elsewhere(['db', 'list', '--json'], { VALKEEPER_HOME: dir });
  assert.deepEqual([list.code, list.document.error?.['code']], [6, 'not_running']);
  assert.deepEqual(elsewhere(['--data-dir', dir, 'down', '--json'], {}), { code: 0, document: { stopped: false } });
});

const impossible: [what: string, env: NodeJS.ProcessEnv, args: string[], exit: number, code: string, says: RegExp][] = [
  ['a file in place of the directory', {}, ['--data-dir', '<file>'], 2, 'data_dir_unusable', /is not a folder/],
  [
    'a directory that cannot be made',
    {},
    ['--data-dir', '/proc/vk'],
    2,
    'data_dir_unusable',
    /\/proc\/vk cannot be made/,
  ],
  ['a wrong engine', { VALKEEPER_ENGINE: '/bin/true' }, [], 2, 'engine_unusable', /\/bin\/true/],
  ['no engine there', { VALKEEPER_ENGINE: '/nowhere/valkey-server' }, [], 2, 'engine_unusable', /\/nowhere/],
  ['addresses beyond loopback', {}, ['--address-base', '10.0.0.1'], 2, 'invalid_value', /--address-base/],
  ['a taken port', {}, ['--api-port', '<taken>'], 4, 'api_port_taken', /port \d+/],
];

for (const [what, env, args, exit, code, says] of impossible) {
  test(`up refuses ${what}, and leaves nothing running`, (t) => {
    const dir = tempDir(t);
    writeFileSync(join(dir, 'file'), '');
    const data = join(dir, 'data');
    const words = args.map((arg) => arg.replace('<file>', join(dir, 'file')).replace('<taken>', `${fleet.apiPort}`));
    const { code: exitCode, document } = elsewhere(['up', '--json', '--data-dir', data, ...words], env);
    assert.deepEqual([exitCode, document.error?.['code']], [exit, code]);
    assert.match(document.error!['message']!, says);
    assert.deepEqual(elsewhere(['down', '--json', '--data-dir', data], {}).document, { stopped: false });
  });
}
