/** A machine is emptied under load; what cannot be is refused; a node that fails is replaced. */
import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { MachineStatus } from '../../src/protocol/api.ts';
import { plainClient, Writers } from '../support/endpoint-writers.ts';
import { type Fleet, isSettled, withFleet } from '../support/fleet.ts';

const WRITERS = 8;

const machinesOf = ({ shards }: DatabaseStatus): string[] =>
  shards.flatMap(({ primary, replicas }) => [primary?.machine ?? 'none', ...replicas.map(({ machine }) => machine)]);

async function machine(fleet: Fleet, name: string): Promise<MachineStatus> {
  return (await fleet.cli('machine', 'show', name, '--json')).json<MachineStatus>();
}

it('empties a machine under load, and takes it out: no error, nothing lost', async (t) => {
  await withFleet({ machines: 4 }, async (fleet) => {
    const before = await fleet.until('main', isSettled);
    const name = before.shards[0]!.primary!.machine;
    const client = await plainClient(fleet, name);
    const refused = await fleet.cli('machine', 'remove', name, '--json');
    assert.deepEqual([refused.code, refused.json<{ error: { code: string } }>().error.code], [5, 'machine_in_use']);

    const writers = new Writers(client, WRITERS);
    let drained: Awaited<ReturnType<Fleet['cli']>>;
    try {
      drained = await fleet.cli('machine', 'drain', name, '--timeout', '60', '--json');
    } finally {
      await writers.stop();
    }
    assert.equal(drained.code, 0, drained.stdout);
    assert.deepEqual([drained.json<MachineStatus>().state, drained.json<MachineStatus>().nodes], ['draining', 0]);
    const after = await fleet.until('main', isSettled);
    assert.ok(!machinesOf(after).includes(name));
    assert.equal(machinesOf(after).length, machinesOf(before).length);
    assert.deepEqual(writers.errors, []);
    assert.ok(writers.acknowledged.length > 100);
    await writers.assertNothingLost();
    client.disconnect();
    t.diagnostic(`${writers.acknowledged.length} writes; the longest took ${Math.round(writers.longestMs)} ms`);

    const removed = await fleet.cli('machine', 'remove', name);
    assert.equal(removed.stdout, `${name} is no longer part of the fleet.\n`);
    const { machines } = (await fleet.cli('machine', 'list', '--json')).json<{ machines: MachineStatus[] }>();
    assert.equal(machines.length, 3);
    const events = (await fleet.cli('events', '--json')).json<{ events: { kind: string }[] }>().events;
    const kinds = new Set(events.map(({ kind }) => kind));
    for (const kind of ['machine_draining', 'machine_drained', 'machine_removed']) assert.ok(kinds.has(kind), kind);
  });
});

it('refuses what would leave a shard short, and takes a machine back that was being emptied', async () => {
  await withFleet({ machines: 2 }, async (fleet) => {
    await fleet.until('main', ({ state }) => state === 'ready');
    const refused = await fleet.cli('machine', 'drain', 'machine-1');
    assert.equal(refused.code, 5);
    assert.match(
      refused.stderr,
      /machine-1 cannot be emptied: main: 3 copies of .* would have no place. Add one machine/,
    );
    assert.equal((await machine(fleet, 'machine-1')).state, 'active');
    const missing = await fleet.cli('machine', 'drain', 'machine-9', '--json');
    assert.deepEqual([missing.code, missing.json<{ error: { code: string } }>().error.code], [3, 'machine_not_found']);
    const wrong = await fleet.cli('machine', 'label', 'machine-1', 'zone');
    assert.equal(wrong.code, 2);
    const labelled = await fleet.cli('machine', 'label', 'machine-1', 'zone=eu-1a', 'rack=7');
    assert.equal(labelled.stdout, 'machine-1: zone=eu-1a, rack=7; zone eu-1a.\n');
    await fleet.cli('machine', 'label', 'machine-1', 'zone-');
    assert.equal((await machine(fleet, 'machine-1')).zone, 'local');
  });
});

it('replaces a node that cannot run', async () => {
  await withFleet({}, async (fleet) => {
    const asked = await fleet.cli('db', 'update', 'main', '--replace-after', '5');
    assert.equal(asked.code, 0, asked.stderr);
    const status = await fleet.until('main', isSettled);
    const { nodeId, machine: place, pid } = status.shards[0]!.replicas[0]!;
    const folder = join(fleet.dir, 'machines', place, 'nodes', nodeId);
    // A word that the engine does not know: it can never start again.
    appendFileSync(join(folder, 'valkey.conf'), '\nno-such-directive yes\n');
    process.kill(pid!, 'SIGKILL');
    const healed = await fleet.until(
      'main',
      (now) => isSettled(now) && now.shards[0]!.replicas.every((replica) => replica.nodeId !== nodeId),
      60_000,
    );
    assert.equal(machinesOf(healed).length, 6);
  });
});
