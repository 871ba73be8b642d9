/** Nodes of one machine whose logs have grown: written anew by their agent's word, one after the other. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { ADMIN_USER } from '../../src/domain/database.ts';
import { NodeConnection } from '../../src/valkey/connection.ts';
import { numberField, parseInfo } from '../../src/valkey/info.ts';
import { fillMany } from '../support/every-type.ts';
import { withFleet } from '../support/fleet.ts';
import { adminPasswordOf } from '../support/node-manifest.ts';

/** Over 64 MB of log for each of two shards. */
const KEYS = 8_000;
const VALUE_BYTES = 20_000;
const MOST_MS = 30_000;

it('never forks two at once, and all in the end', async (t) => {
  await withFleet({ machines: 1 }, async (fleet) => {
    const shape = ['--shards', '2', '--replicas', '0', '--memory', '512mb', '--persistence', 'aof'];
    assert.equal((await fleet.cli('db', 'create', 'logs', ...shape)).code, 0);
    const { shards } = await fleet.show('logs');
    const lines = shards.map(({ primary }) => {
      const { host, port } = primary!;
      const limits = { connectTimeoutMs: 2_000, commandTimeoutMs: 5_000, maxQueued: 10 };
      return new NodeConnection({ host, port, username: ADMIN_USER, password: adminPasswordOf(primary!), ...limits });
    });
    const look = async () =>
      Promise.all(
        lines.map(async (line) => {
          const info = parseInfo(String(await line.command('INFO', 'persistence')));
          const of = (name: string): number => numberField(info, name);
          return { forks: of('aof_rewrite_in_progress') + of('rdb_bgsave_in_progress'), base: of('aof_base_size') };
        }),
      );
    try {
      const settings = await lines[0]!.command('CONFIG', 'GET', 'auto-aof-rewrite-percentage');
      assert.match(String(settings), /auto-aof-rewrite-percentage,0/);
      const client = await fleet.client('logs');
      const filled = fillMany(client, KEYS, VALUE_BYTES);
      const deadline = performance.now() + MOST_MS;
      let most = 0;
      for (;;) {
        const seen = await look();
        most = Math.max(most, seen.filter(({ forks }) => forks > 0).length);
        if (seen.every(({ base, forks }) => base > 32 * 1024 ** 2 && forks === 0)) break;
        assert.ok(performance.now() < deadline, `not written anew: ${JSON.stringify(seen)}`);
        await pause(2);
      }
      await filled;
      client.disconnect();
      assert.equal(most, 1, 'two forked at once');
      t.diagnostic(
        `the bases are ${(await look()).map(({ base }) => `${Math.round(base / 1024 ** 2)} MB`).join(', ')}`,
      );
    } finally {
      for (const line of lines) line.close();
    }
  });
});
