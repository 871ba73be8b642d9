import assert from 'node:assert/strict';
import { test } from 'node:test';
import { databaseOn, fleet } from '../../test/support/worlds.ts';
import { aclMarkOf } from '../domain/database.ts';
import type { UserSpec } from '../domain/spec.ts';
import { openMemoryStore } from '../store/memory.ts';
import { aclFile, aclMark, sha256 } from './acl.ts';
import { Databases } from './databases.ts';
import { withSpec } from './update.ts';

const withUsers = (...users: UserSpec[]) => {
  const database = databaseOn(fleet(2), { shards: 1 });
  return withSpec(database, { ...database.spec, users });
};

const namesIn = (text: string): string[] => [...text.matchAll(/^user (\S+)/gm)].map(([, name]) => name!);

test('the ACL file has the users of the spec, their passwords as hashes, and what no app may do behind their rules', () => {
  const database = withUsers({ name: 'app', rules: '~app:*  +@all' });
  const text = aclFile(database);
  assert.deepEqual(namesIn(text).slice(0, 3), ['default', 'valkeeper', 'app']);
  const line = text.split('\n').find((one) => one.startsWith('user app '))!;
  assert.ok(line.startsWith(`user app on #${sha256(database.secrets.users['app']!)} ~app:* +@all -acl|setuser `), line);
  assert.ok(line.includes(' -config|set '));
  // It would tell `primaryauth`, which is Valkeeper's own password.
  assert.ok(line.includes(' -config|get '));
  assert.ok(!text.includes(database.secrets.users['app']!));
});

test('where writes are acknowledged, users may say WAIT: the endpoint says it as them', () => {
  const database = withUsers({ name: 'app', rules: '~app:* +@write' });
  assert.doesNotMatch(aclFile(database), / \+wait/);
  const acknowledged = withSpec(database, { ...database.spec, durability: 'acknowledged' });
  assert.match(aclFile(acknowledged), /^user app .* \+wait$/m);
  assert.notEqual(acknowledged.aclMark, database.aclMark);
});

test('its mark is that of its content, and is found among the names', () => {
  const database = withUsers({ name: 'app', rules: '+get' });
  assert.equal(aclMarkOf(namesIn(aclFile(database))), database.aclMark);
  assert.equal(aclMark(database), database.aclMark);
  assert.notEqual(withUsers({ name: 'app', rules: '+set' }).aclMark, database.aclMark);
  assert.equal(aclMarkOf(['default', 'valkeeper']), null);
});

test('a user keeps its password through changes, and a user that comes again gets a new one', () => {
  const app = { name: 'app', rules: '+get' };
  const first = withUsers(app);
  const second = withSpec(first, {
    ...first.spec,
    users: [
      { ...app, rules: '+set' },
      { ...app, name: 'web' },
    ],
  });
  assert.equal(second.secrets.users['app'], first.secrets.users['app']);
  assert.notEqual(second.secrets.users['web'], second.secrets.users['app']);
  const without = withSpec(second, { ...second.spec, users: [] });
  assert.deepEqual(without.secrets.users, {});
  const again = withSpec(without, { ...without.spec, users: [app] });
  assert.notEqual(again.secrets.users['app'], first.secrets.users['app']);
  assert.notEqual(again.aclMark, first.aclMark);
});

test('a record of a time before endpoints and users is read with their defaults', async () => {
  const { aclMark: _, spec, secrets, ...rest } = databaseOn(fleet(2), { shards: 1 });
  const { port: _port, read: _read, users: _users, ...oldSpec } = spec;
  const { password, adminPassword } = secrets;
  const store = openMemoryStore();
  const value = { ...rest, spec: oldSpec, secrets: { password, adminPassword } };
  await store.commit([{ put: 'databases/test', value, expect: 'absent' }]);
  const database = (await Databases.open(store)).get('test');
  assert.deepEqual([database.spec.port, database.spec.read, database.spec.users], [0, 'primary', []]);
  assert.deepEqual(database.secrets, { password, adminPassword, users: {} });
  assert.equal(database.aclMark, aclMark(database));
  await store.close();
});
