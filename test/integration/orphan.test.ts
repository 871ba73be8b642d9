/** A primary that lost its slots and kept its keys, on real engines: it comes back as a replica, and nothing is lost. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ADMIN_USER } from '../../src/domain/database.ts';
import type { Event } from '../../src/domain/event.ts';
import type { NodeStatus } from '../../src/domain/status.ts';
import * as admin from '../../src/valkey/admin.ts';
import { EngineReplyError, NodeConnection } from '../../src/valkey/connection.ts';
import { eventually } from '../support/agent-scene.ts';
import { isSettled, withFleet } from '../support/fleet.ts';
import { adminPasswordOf } from '../support/node-manifest.ts';

const KEYS = 200;

/** As Valkeeper itself connects. */
function connect(node: NodeStatus): NodeConnection {
  return new NodeConnection({
    host: node.host,
    port: node.port,
    username: ADMIN_USER,
    password: adminPasswordOf(node),
    connectTimeoutMs: 2_000,
    commandTimeoutMs: 5_000,
    maxQueued: 10_000,
  });
}

it('stops a primary with keys and no slots once it is sure of the other, and starts it fenced', async (test) => {
  await withFleet({ machines: 2 }, async (fleet) => {
    const made = ['--shards', '1', '--replicas', '1', '--memory', '64mb', '--persistence', 'none'];
    assert.equal((await fleet.cli('db', 'create', 'kept', ...made)).code, 0);
    const { shards } = await fleet.until('kept', isSettled);
    const [old, successor] = [shards[0]!.primary!, shards[0]!.replicas[0]!];
    const [orphan, owner] = [connect(old), connect(successor)];
    test.after(() => {
      orphan.close();
      owner.close();
    });
    const keys = Array.from({ length: KEYS }, (_, number) => `key:${number}`);
    await orphan.pipeline(keys.map((key) => ['SET', key, key]));
    assert.equal(await admin.waitReplicas(orphan, 1, 4_000), 1);

    await orphan.command('CLUSTER', 'DELSLOTSRANGE', 0, 16_383);
    await admin.failover(owner, 'takeover');
    await eventually('a new owner', async () => (await admin.role(owner)).role === 'primary');
    await eventually('it hears of the new owner, and refuses to follow it with its keys', async () => {
      const refusal = await admin.replicate(orphan, successor.nodeId).catch((error: unknown) => error);
      assert.ok(refusal instanceof EngineReplyError, String(refusal));
      return /must be empty/.test(refusal.message);
    });

    const after = await fleet.until('kept', (status) => {
      const [shard] = status.shards;
      const pid = shard!.replicas.find(({ nodeId }) => nodeId === old.nodeId)?.pid;
      return isSettled(status) && pid !== undefined && pid !== null && pid !== old.pid;
    });
    assert.equal(after.shards[0]!.primary?.nodeId, successor.nodeId);
    const { events } = (await fleet.cli('events', '--database', 'kept', '--limit', '1000', '--json')).json<{
      events: Event[];
    }>();
    const told = events.filter(({ node }) => node === old.nodeId);
    const opened = told.find(({ details }) => details?.['problem'] === 'primary_orphaned')!;
    const stopped = told.find(({ details }) => details?.['step'] === 'stop_node')!;
    assert.match(opened.message, new RegExp(`is a primary with ${KEYS} keys and no slots`));
    assert.match(stopped.message, /^Stop .*, to start it again fenced\. /);
    const waitedMs = Date.parse(stopped.at) - Date.parse(opened.at);
    test.diagnostic(`stopped ${waitedMs} ms after it was told of`);
    assert.ok(waitedMs >= 1_500, 'it might have been a passing state');

    const returned = connect(after.shards[0]!.replicas[0]!);
    test.after(() => returned.close());
    await returned.command('READONLY');
    for (const [who, node] of [
      ['the owner', owner],
      ['the returned', returned],
    ] as const) {
      assert.deepEqual(await node.pipeline(keys.map((key) => ['GET', key])), keys, who);
    }
  });
});
