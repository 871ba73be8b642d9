/** A primary that is stopped is replaced by its agent, and the record tells it; a replica that is stopped is only told. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Event } from '../../src/domain/event.ts';
import type { FailoverRecord } from '../../src/domain/failover.ts';
import { eventually } from '../support/agent-scene.ts';
import { isSettled, withFleet } from '../support/fleet.ts';

/** In slot 0, of the first shard. */
const KEY = '{06S}';

test('a stopped primary is replaced, and the story of it can be read', async (t) => {
  await withFleet({}, async (fleet) => {
    const before = await fleet.until('main', isSettled);
    const shard = before.shards[0]!;
    const [old, heir] = [shard.primary!, shard.replicas[0]!];
    const client = await fleet.client();
    await client.set(KEY, 'before');
    const startedMs = performance.now();
    process.kill(old.pid!, 'SIGSTOP');
    await client.set(KEY, 'after'); // waits for the successor
    t.diagnostic(`takes writes again ${Math.round(performance.now() - startedMs)} ms after the stop`);
    let failovers: FailoverRecord[] = [];
    await eventually('the record', async () => {
      const answer = await fleet.cli('db', 'failovers', 'main', '--json');
      failovers = answer.json<{ failovers: FailoverRecord[] }>().failovers;
      return failovers.length > 0;
    });
    await fleet.until('main', isSettled); // by then primaries may have been levelled
    assert.equal(await client.get(KEY), 'after');
    client.disconnect();

    assert.equal(failovers.length, 1);
    const { cause, node, machine, chosen, result, timeline, tookMs } = failovers[0]!;
    assert.deepEqual([cause, node, machine], ['process_stopped', old.nodeId, old.machine]);
    assert.deepEqual([chosen, result], [heir.nodeId, { state: 'promoted' }]);
    assert.match(timeline[0]!.what, /it was stopped for \d\.\d s, and was ended/);
    t.diagnostic(`from its end to the promotion: ${tookMs} ms`);

    const { events } = (await fleet.cli('events', '--database', 'main', '--json')).json<{ events: Event[] }>();
    const [event] = events.filter(({ kind }) => kind === 'failover');
    assert.match(event!.message, /took the place of .*, which was stopped or hung and was ended, in shard-1/);
    const listed = await fleet.cli('db', 'failovers', 'main');
    assert.match(listed.stdout, /^ID +AT +SHARD.*\n\w+ .*shard-1 .*process_stopped/);
    for (const words of [['--last'], [failovers[0]!.id]]) {
      const { stdout } = await fleet.cli('db', 'failovers', 'main', ...words);
      assert.match(stdout, / ms {2}the process ended: it was stopped/);
    }
    const unknown = await fleet.cli('db', 'failovers', 'main', 'fffff');
    assert.equal(unknown.code, 3);
    t.diagnostic((await fleet.cli('db', 'failovers', 'main', '--last')).stdout);
  });
});

test('a stopped replica is told, and in sync again when it goes on', async () => {
  await withFleet({}, async (fleet) => {
    const before = await fleet.until('main', isSettled);
    const replica = before.shards[0]!.replicas[0]!;
    process.kill(replica.pid!, 'SIGSTOP');
    const told = await fleet.until('main', ({ conditions }) => conditions.some(({ code }) => code === 'node_stopped'));
    const condition = told.conditions.find(({ code }) => code === 'node_stopped')!;
    assert.equal(condition.node, replica.nodeId);
    assert.match(condition.advice, /kill -CONT/);
    process.kill(replica.pid!, 'SIGCONT');
    const after = await fleet.until('main', isSettled);
    assert.equal(after.shards[0]!.replicas[0]!.pid, replica.pid);
  });
});
