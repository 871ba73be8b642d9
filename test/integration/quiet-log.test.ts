import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { type Fleet, isSettled, withFleet } from '../support/fleet.ts';

/** How long nothing may be said; a pass is made every second. */
const QUIET_MS = 10_000;

/** Text of every log of Valkeeper's own processes, by path; the engine's are its own affair. */
const logsOf = ({ dir }: Fleet): Record<string, string> =>
  Object.fromEntries(
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.log') && !path.includes('/nodes/'))
      .map((path) => [path, readFileSync(join(dir, path), 'utf8')]),
  );

test('a quiet fleet writes nothing to its logs', async () => {
  await withFleet({}, async (fleet) => {
    await fleet.until('main', isSettled);
    const before = logsOf(fleet);
    assert.ok('control/server.log' in before && Object.keys(before).length >= 4, Object.keys(before).join(', '));
    await pause(QUIET_MS);
    assert.deepEqual(logsOf(fleet), before);
  });
});

test('a step is one line, with the database, shard, node and step it is about', async () => {
  await withFleet({}, async (fleet) => {
    const status = await fleet.until('main', isSettled);
    const { nodeId } = status.shards[0]!.replicas[0]!;
    const known = logsOf(fleet)['control/server.log']!.length;
    assert.equal((await fleet.cli('db', 'update', 'main', '--eviction', 'allkeys-lru')).code, 0);
    await fleet.until('main', (now) => isSettled(now) && now.observedGeneration > status.observedGeneration);
    const lines = logsOf(fleet)['control/server.log']!.slice(known).trim().split('\n');
    const steps = lines
      .map(
        (line) => JSON.parse(line) as { node?: string; database?: string; shard?: string; details?: { step?: string } },
      )
      .filter(({ node, details }) => node === nodeId && details?.step === 'configure');
    assert.deepEqual(
      steps.map(({ database, shard }) => [database, shard]),
      [['main', 'shard-1']],
      lines.join('\n'),
    );
  });
});
