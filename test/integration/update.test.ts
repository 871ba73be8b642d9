import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { it } from 'node:test';
import { Redis } from 'ioredis';
import { parseConf } from '../../src/agent/valkey-conf.ts';
import { ADMIN_USER } from '../../src/domain/database.ts';
import { type DatabaseSpec, DEFAULT_SPEC } from '../../src/domain/spec.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import { wantedSettings } from '../../src/plan/settings.ts';
import { type Fleet, isSettled, nodesOf, withFleet } from '../support/fleet.ts';
import { processesUnder } from '../support/leaks.ts';
import { adminPasswordOf, nodeFile } from '../support/node-manifest.ts';

const MIB = 1024 ** 2;

/** Writes one key after the other until it is stopped; every failure counts. */
async function writer(fleet: Fleet): Promise<{ stop: () => Promise<{ written: number; failed: string[] }> }> {
  const client = await fleet.client();
  const failed: string[] = [];
  let written = 0;
  let going = true;
  const work = (async () => {
    while (going) {
      await client.set(`key:${written % 5_000}`, 'x'.repeat(100)).catch((error: Error) => failed.push(error.message));
      written += 1;
    }
  })();
  return {
    stop: async () => {
      going = false;
      await work;
      client.disconnect();
      return { written, failed };
    },
  };
}

const pidsOf = (status: DatabaseStatus): (number | null)[] =>
  nodesOf(status)
    .sort((a, b) => a.nodeId.localeCompare(b.nodeId))
    .map(({ pid }) => pid);

/** The workers of an endpoint end with it, perhaps before their turn comes. */
function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Every node has the settings of the spec, in its process and in its valkey.conf. */
async function assertSettings(fleet: Fleet, wish: Partial<DatabaseSpec>): Promise<void> {
  const status = await fleet.show();
  assert.equal(status.observedGeneration, status.generation);
  const wanted = wantedSettings({ ...DEFAULT_SPEC, ...wish });
  for (const node of nodesOf(status)) {
    const { host, port, pid } = node;
    const client = new Redis({ host, port, username: ADMIN_USER, password: adminPasswordOf(node) });
    try {
      for (const [name, value] of Object.entries(wanted)) {
        const [, live] = (await client.config('GET', name)) as string[];
        const shown =
          name === 'client-output-buffer-limit' ? live?.replace(/^.*slave (\d+ \d+ \d+).*$/, 'replica $1') : live;
        assert.equal(shown, value, `${name} of ${host}:${port}`);
      }
    } finally {
      client.disconnect();
    }
    const conf = parseConf(readFileSync(nodeFile(pid!, 'valkey.conf'), 'utf8'));
    for (const [name, value] of Object.entries(wanted)) assert.equal(conf.get(name), value, `${name} in valkey.conf`);
    assert.equal(conf.get('primaryuser'), ADMIN_USER, 'the other lines stay');
  }
}

it('changes memory, eviction, persistence and durability under writes: no restart, no error, everywhere, and for good', async () => {
  await withFleet({}, async (fleet) => {
    const before = pidsOf(await fleet.until('main', isSettled));
    const writing = await writer(fleet);
    const changes: [string[], Partial<DatabaseSpec>][] = [
      [['--memory', '512mb', '--eviction', 'allkeys-lru'], {}],
      [['--persistence', 'aof-always'], { persistence: 'aof-always' }],
      [['--persistence', 'snapshot'], { persistence: 'snapshot' }],
      [['--persistence', 'none'], { persistence: 'none' }],
      [['--persistence', 'aof'], { persistence: 'aof' }],
      [['--durability', 'acknowledged'], { durability: 'acknowledged' }],
      [['--durability', 'async'], { durability: 'async' }],
    ];
    const large = { memoryBytes: 512 * MIB, eviction: 'allkeys-lru' } as const;
    try {
      for (const [options, wish] of changes) {
        const changed = await fleet.cli('db', 'update', 'main', ...options);
        assert.equal(changed.code, 0, changed.stderr);
        await assertSettings(fleet, { ...large, ...wish });
      }
    } finally {
      await writing.stop();
    }
    const { written, failed } = await writing.stop();
    assert.ok(written > 100, `${written} writes`);
    assert.deepEqual(failed, []);
    assert.deepEqual(pidsOf(await fleet.show()), before, 'nodes were restarted');

    assert.equal((await fleet.cli('down')).code, 0);
    await fleet.up();
    await fleet.until('main', isSettled);
    await assertSettings(fleet, large);
  });
});

it('brings a change to a node that was killed meanwhile, and refuses what cannot be', async () => {
  await withFleet({}, async (fleet) => {
    const status = await fleet.until('main', isSettled);
    process.kill(status.shards[0]!.primary!.pid!, 'SIGKILL');
    const changed = await fleet.cli('db', 'update', 'main', '--memory', '300mb', '--persistence', 'aof-always');
    assert.equal(changed.code, 0, changed.stderr);
    await fleet.until('main', isSettled);
    await assertSettings(fleet, { memoryBytes: 300 * MIB, persistence: 'aof-always' });

    const tooMuch = await fleet.cli('db', 'update', 'main', '--memory', '900tb', '--json');
    assert.deepEqual([tooMuch.code, tooMuch.json<{ error: { code: string } }>().error.code], [5, 'no_room_to_grow']);
    const nothing = await fleet.cli('db', 'update', 'main');
    assert.equal(nothing.code, 2, nothing.stderr);
  });
});

it('goes on with a change after its own processes were killed in the middle of it, and follows a second wish', async () => {
  await withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const changed = await fleet.cli(
      'db',
      'update',
      'main',
      '--no-wait',
      '--memory',
      '400mb',
      '--persistence',
      'snapshot',
    );
    assert.equal(changed.code, 0, changed.stderr);
    const own = processesUnder(fleet.dir).filter(({ command }) => !command.includes('valkey-server'));
    assert.ok(own.length >= 4, 'the server and three agents');
    for (const { pid } of own) killIfThere(pid);
    await fleet.up();
    const second = await fleet.cli('db', 'update', 'main', '--no-wait', '--memory', '600mb');
    assert.equal(second.code, 0, second.stderr);
    const third = await fleet.cli('db', 'update', 'main', '--persistence', 'aof-always');
    assert.equal(third.code, 0, third.stderr);
    assert.equal((await fleet.until('main', isSettled)).generation, 4);
    await assertSettings(fleet, { memoryBytes: 600 * MIB, persistence: 'aof-always' });
  });
});

it('leaves it to agents when nodes of an earlier version save: without a restart, and without a snapshot for it', async () => {
  await withFleet({ machines: 1 }, async (fleet) => {
    const shape = ['--shards', '1', '--replicas', '0', '--memory', '64mb', '--persistence', 'snapshot'];
    assert.equal((await fleet.cli('db', 'create', 'old', ...shape)).code, 0);
    const [shard] = (await fleet.until('old', isSettled)).shards;
    const { host, port, pid } = shard!.primary!;
    const conf = nodeFile(pid!, 'valkey.conf');
    const wanted = wantedSettings({ ...DEFAULT_SPEC, persistence: 'snapshot' });
    const earlier = readFileSync(conf, 'utf8')
      .replace(/^save .*$/m, 'save "3600" "1" "300" "100" "60" "10000"')
      .replace(/^auto-aof-rewrite-percentage .*\n/m, '');
    assert.equal((await fleet.cli('down')).code, 0);
    writeFileSync(conf, earlier);
    await fleet.up();
    const now = (await fleet.until('old', isSettled)).shards[0]!.primary!;
    const client = new Redis({ host, port, username: ADMIN_USER, password: adminPasswordOf(now) });
    try {
      for (const name of ['save', 'auto-aof-rewrite-percentage']) {
        assert.equal(((await client.config('GET', name)) as string[])[1], wanted[name]);
        assert.equal(parseConf(readFileSync(conf, 'utf8')).get(name), wanted[name]);
      }
      assert.match(await client.info('persistence'), /^rdb_saves:0/m);
    } finally {
      client.disconnect();
    }
  });
});

it('refuses less memory than the data needs, and a change of what is being deleted', async () => {
  await withFleet({ machines: 1 }, async (fleet) => {
    const client = await fleet.client();
    const value = 'x'.repeat(1024 ** 2);
    for (let n = 0; n < 60; n += 1) await client.set(`large:${n}`, value);
    client.disconnect();
    const codeOf = async (...words: string[]): Promise<[number, string]> => {
      const { code, json } = await fleet.cli(...words, '--json');
      return [code, json<{ error: { code: string } }>().error.code];
    };
    assert.deepEqual(await codeOf('db', 'update', 'main', '--memory', '24mb'), [5, 'memory_in_use']);
    assert.deepEqual(await codeOf('db', 'plan', 'main', '--memory', '24mb'), [5, 'memory_in_use']);
    assert.deepEqual(await codeOf('db', 'plan', 'main', '--no-auth'), [5, 'not_changeable']);
    assert.deepEqual(await codeOf('db', 'plan', 'main', '--replicas', '2'), [5, 'no_room_for_copies']);
    assert.deepEqual(await codeOf('db', 'update', 'main', '--memory', '6mb'), [2, 'invalid_value']);
    assert.equal((await fleet.show()).generation, 1);
    const agent = processesUnder(fleet.dir).find(({ command }) => /\bagent\b/.test(command))!;
    process.kill(agent.pid, 'SIGSTOP'); // it cannot be gone too soon
    assert.equal((await fleet.cli('db', 'delete', 'main', '--yes', '--no-wait')).code, 0);
    assert.deepEqual(await codeOf('db', 'update', 'main', '--memory', '1gb'), [4, 'being_deleted']);
    process.kill(agent.pid, 'SIGCONT');
  });
});
