/** A fleet of several hosts, as an operator makes it: a server, machines that join, a database, a client. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { ANSWERS } from '../../src/protocol/answers.ts';
import { nodesOf } from '../support/fleet.ts';
import { JoinedFleet } from '../support/joined-fleet.ts';

const CLIENT = `
  import { Redis } from 'ioredis';
  const client = new Redis(process.argv[1]);
  for (let key = 0; key < 100; key += 1) await client.set('key-' + key, String(key));
  const values = await client.mget(Array.from({ length: 100 }, (_, key) => 'key-' + key));
  console.log(values.filter((value, key) => value === String(key)).length);
  await client.quit();
`;

test('two machines join, get a database from afar, and serve a client elsewhere', async (t) => {
  const fleet = await JoinedFleet.start(t, 4);
  const created = await fleet.token('--name', 'alpha', '--label', 'rack=7');
  assert.match(
    created.command,
    new RegExp(`^valkeeper agent --join ${fleet.url} --token valkeeper1\\.\\S+ --name alpha$`),
  );
  assert.equal(ANSWERS.CreatedToken.safeParse(created).error, undefined);
  const revoked = await fleet.ask('machine', 'token', 'revoke', (await fleet.token()).id);
  assert.equal(ANSWERS.Token.safeParse(revoked).error, undefined);
  const words = created.command.split(' ').slice(2);
  let alpha = fleet.agent(1, ...words, '--memory', '512mb', '--zone', 'a', '--label', 'disk=ssd');
  await fleet.join(2, 'beta', '--zone', 'b');

  const shown = await fleet.machine('alpha', ({ connected }) => connected, alpha);
  assert.equal(shown.address, fleet.hosts[1]!.address, 'the address by which it reaches the server');
  assert.deepEqual([shown.zone, shown.labels], ['a', { disk: 'ssd', rack: '7' }]);
  assert.equal(shown.memoryBytes, 512 * 1024 ** 2);
  assert.match(shown.certificate?.serial ?? '', /^[0-9A-F]{25,32}$/);

  const { code, stderr, stdout } = await fleet.cli('db', 'create', 'main', '--shards', '3', '--memory', '96mb');
  assert.equal(code, 0, stdout + stderr);
  const status = await fleet.ask<DatabaseStatus>('db', 'show', 'main');
  const machines = nodesOf(status).map(({ machine }) => machine);
  assert.deepEqual([...new Set(machines)].sort(), ['alpha', 'beta']);
  assert.equal(machines.filter((machine) => machine === 'alpha').length, 3);
  // Its nodes speak nothing but TLS, each with the certificate of its machine.
  const folder = join(fleet.home(1), 'machines', 'alpha', 'nodes');
  const confs = readdirSync(folder).map((node) => readFileSync(join(folder, node, 'valkey.conf'), 'utf8'));
  assert.equal(
    confs.filter((conf) => /^tls-port "\d+"$/m.test(conf) && /^port "0"$/m.test(conf)).length,
    3,
    confs.join('\n'),
  );
  const { url } = await fleet.ask<{ url: string }>('db', 'url', 'main');
  const client = await fleet.client.run([process.execPath, '--input-type=module', '--eval', CLIENT, url]);
  assert.equal(client.stdout, '100\n', client.stderr);
  const exported = join(fleet.dir, 'exported');
  const { files } = await fleet.ask<{ files: { path: string }[] }>('db', 'export', 'main', '--to', exported);
  assert.deepEqual(
    files.map(({ path }) => path).sort(),
    readdirSync(exported)
      .sort()
      .map((name) => join(exported, name)),
  );
  assert.equal(files.length, 3);

  // Its agent ends and comes again, without a flag; the nodes go on.
  alpha.kill('SIGTERM');
  await fleet.machine('alpha', ({ connected }) => !connected);
  alpha = fleet.agent(1);
  await fleet.machine('alpha', ({ connected }) => connected, alpha);
  const after = await fleet.ask<DatabaseStatus>('db', 'show', 'main');
  assert.deepEqual(
    nodesOf(after)
      .map(({ pid }) => pid)
      .sort(),
    nodesOf(status)
      .map(({ pid }) => pid)
      .sort(),
  );

  // The end of the server is not the end of the fleet.
  fleet.server.kill('SIGTERM');
  await new Promise((resolve) => fleet.server.once('exit', resolve));
  const still = await fleet.client.run([process.execPath, '--input-type=module', '--eval', CLIENT, url]);
  assert.equal(still.stdout, '100\n', still.stderr);
  await fleet.startServer();
  await fleet.machine('beta', ({ connected, nodes }) => connected && nodes === 3);
});
