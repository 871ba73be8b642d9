import assert from 'node:assert/strict';
import { it } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import { KnownServers } from './known-servers.ts';

const [A, B, C] = ['http://a.example', 'http://b.example', 'http://c.example'] as const;

it('tries one after the other, the one that answered last first', async (t) => {
  const servers = await KnownServers.open(tempDir(t), [A, B]);
  await servers.learn([C, B]);
  assert.deepEqual([servers.next(), servers.next(), servers.next(), servers.next()], [A, B, C, A]);
  servers.stay(C);
  await servers.learn([C, A]);
  assert.deepEqual([servers.next(), servers.next(), servers.next()], [C, A, B]);
});

it('does not forget one that is away, over a restart too', async (t) => {
  const dir = tempDir(t);
  const servers = await KnownServers.open(dir, [A]);
  await servers.learn([A, B]);
  await servers.learn([A]);
  assert.deepEqual(servers.all, [A, B]);
  await servers.learn([]);
  const again = await KnownServers.open(dir, [A]);
  assert.deepEqual(again.all, [A, B]);
  await again.learn([C]);
  assert.deepEqual(again.all, [A, C, B], 'those that run come first');
});

it('remembers a bounded number of those that are away, those seen last', async (t) => {
  const servers = await KnownServers.open(tempDir(t), [A]);
  for (let number = 1; number <= 20; number += 1) await servers.learn([`http://${number}.example`]);
  assert.deepEqual(
    servers.all,
    [A, ...Array.from({ length: 9 }, (_, index) => `http://${20 - index}.example`)],
    'the one that runs, and eight',
  );
});

it('goes to https alone where it shows a certificate', async (t) => {
  const servers = await KnownServers.open(tempDir(t), ['https://a.example'], 'https');
  await servers.learn([B, 'https://b.example', 'no URL']);
  assert.deepEqual(servers.all, ['https://a.example', 'https://b.example']);
});

it('enters no term before one that it has seen, of the same fleet', async (t) => {
  const dir = tempDir(t);
  const servers = await KnownServers.open(dir, [A]);
  await servers.enter({ fleet: 'one', number: 7 });
  const again = await KnownServers.open(dir, [A]);
  await assert.rejects(again.enter({ fleet: 'one', number: 6 }), valkeeperError('term_over'));
  await again.enter({ fleet: 'one', number: 7 });
  await again.enter({ fleet: 'two', number: 1 });
});
