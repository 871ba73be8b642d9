import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import type { Event } from '../../src/domain/event.ts';
import { withFleet } from '../support/fleet.ts';

test('events --follow goes on line by line, each event once, until the server is gone', async () => {
  await withFleet({}, async (fleet) => {
    const follow = fleet.spawn('events', '--follow', '--json', '--limit', '2');
    const ended = once(follow, 'exit');
    let errors = '';
    follow.stderr!.on('data', (chunk) => {
      errors += chunk;
    });
    const seen: Event[] = [];
    const lines = createInterface({ input: follow.stdout! });
    const deleted = Promise.withResolvers<void>();
    lines.on('line', (line) => {
      const event = JSON.parse(line) as Event & { error?: unknown };
      if (event.error) return;
      seen.push(event);
      if (event.kind === 'database_deleted') deleted.resolve();
    });
    await once(lines, 'line');
    const small = ['--shards', '1', '--replicas', '0', '--memory', '16mb'];
    assert.equal((await fleet.cli('db', 'create', 'brief', ...small)).code, 0);
    assert.equal((await fleet.cli('db', 'delete', 'brief', '--yes')).code, 0);
    await Promise.race([deleted.promise, ended.then(([code]) => assert.fail(`ended with ${code}: ${errors}`))]);

    assert.ok(seen.some(({ kind, database }) => kind === 'database_created' && database === 'brief'));
    assert.deepEqual(
      seen.map(({ seq }) => seq),
      seen.map((_, index) => seen[0]!.seq + index),
    );
    assert.equal((await fleet.cli('down', '--yes')).code, 0);
    assert.deepEqual((await ended)[0], 6, errors);
  });
});
