/** Databases from files: `db apply` and `db plan -f`, with the real command line. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { it } from 'node:test';
import type { Event } from '../../src/domain/event.ts';
import type { DatabaseStatus } from '../../src/domain/status.ts';
import type { PlanDocument } from '../../src/protocol/api.ts';
import { type Fleet, isSettled, withFleet } from '../support/fleet.ts';

interface Applied {
  databases: { name: string; result: string; database: DatabaseStatus }[];
}

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');
const MIB = 1024 ** 2;

const ORDERS = `
name: orders
shards: 2
replicas: 1
memory: 128mb
persistence: aof
eviction: noeviction
auth: true
`;
const CACHE = `---
name: cache
shards: 1
replicas: 0
memory: 64mb
persistence: none
`;

/** The command with this on its stdin. */
async function withInput(fleet: Fleet, input: string, ...words: string[]): Promise<{ code: number; stdout: string }> {
  const child = spawn(LAUNCHER, words, { env: fleet.env(), stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.end(input);
  const [stdout, code] = await Promise.all([
    text(child.stdout),
    new Promise<number>((resolve) => child.once('exit', (exit) => resolve(exit ?? -1))),
  ]);
  return { code, stdout };
}

/** What was planned for a database that did not exist is what was then done: the same nodes, in the same words. */
async function assertDoneAsPlanned(fleet: Fleet, plans: readonly PlanDocument[]): Promise<void> {
  for (const { database, steps } of plans) {
    const { events } = (await fleet.cli('events', '--database', database, '--limit', '1000', '--json')).json<{
      events: Event[];
    }>();
    const done = new Set(events.filter(({ kind }) => kind === 'step_done').map(({ message }) => message));
    const fixed = steps.filter(({ kind }) => kind === 'create_node' || kind === 'claim_slots');
    assert.deepEqual(
      fixed.map(({ sentence }) => sentence).filter((sentence) => !done.has(sentence)),
      [],
      database,
    );
    const { shards } = await fleet.show(database);
    const made = shards.flatMap(({ primary, replicas }) => [primary!, ...replicas].map(({ nodeId }) => nodeId));
    const planned = steps.filter(({ kind }) => kind === 'create_node').map(({ target }) => target);
    assert.deepEqual(planned.sort(), made.sort());
  }
}

const states = ({ databases }: Applied): string[][] =>
  databases.map(({ name, result, database }) => [name, result, database.state]);

it('creates, changes and leaves databases as a file says, after a yes, and plans it before', async () => {
  await withFleet({}, async (fleet) => {
    const file = join(fleet.dir, 'spec.yaml');
    writeFileSync(file, ORDERS + CACHE);

    const planned = await fleet.cli('db', 'plan', '-f', file, '--json');
    assert.equal(planned.code, 0, planned.stderr);
    const { plans } = planned.json<{ plans: PlanDocument[] }>();
    assert.deepEqual(
      plans.map(({ database, generation, steps }) => [database, generation, steps[0]?.kind]),
      [
        ['orders', 0, 'create_node'],
        ['cache', 0, 'create_node'],
      ],
    );

    const refused = await fleet.cli('db', 'apply', '-f', file, '--json');
    assert.deepEqual(
      [refused.code, refused.json<{ error: { code: string } }>().error.code],
      [5, 'confirmation_needed'],
    );
    assert.match(refused.stderr, /orders is new: shards 2, replicas 1, memory 128mb/);
    assert.match(refused.stderr, /Create \w+ \(shard-1, machine-\d\) as a primary/);
    assert.equal((await fleet.cli('db', 'show', 'orders')).code, 3, 'nothing was done');

    const created = await fleet.cli('db', 'apply', '--yes', '-f', file, '--json');
    assert.equal(created.code, 0, created.stderr);
    assert.deepEqual(states(created.json()), [
      ['orders', 'created', 'ready'],
      ['cache', 'created', 'ready'],
    ]);
    await assertDoneAsPlanned(fleet, plans);

    const again = await fleet.cli('db', 'apply', '-f', file, '--json');
    assert.equal(again.code, 0, `unchanged, it asks for nothing: ${again.stderr}`);
    assert.deepEqual(states(again.json()), [
      ['orders', 'unchanged', 'ready'],
      ['cache', 'unchanged', 'ready'],
    ]);
    assert.deepEqual(
      again.json<Applied>().databases.map(({ database }) => database.generation),
      [1, 1],
    );

    writeFileSync(file, ORDERS.replace('128mb', '256mb') + CACHE);
    const changed = await fleet.cli('db', 'apply', '--yes', '-f', file);
    assert.equal(changed.code, 0, changed.stderr);
    assert.match(changed.stderr, /orders changes: memory 128mb -> 256mb/);
    assert.match(changed.stderr, /Set maxmemory 134217728/);
    assert.match(
      changed.stdout,
      /^orders was changed; it is ready\.\ncache is as it was asked for before; it is ready\.$/m,
    );
    const orders = await fleet.until('orders', isSettled);
    assert.deepEqual([orders.spec.memoryBytes, orders.generation, orders.observedGeneration], [256 * MIB, 2, 2]);

    const fromStdin = await withInput(
      fleet,
      CACHE.replace('none', 'snapshot'),
      'db',
      'apply',
      '--yes',
      '-f',
      '-',
      '--json',
    );
    assert.equal(fromStdin.code, 0);
    assert.deepEqual(states(JSON.parse(fromStdin.stdout) as Applied), [['cache', 'changed', 'ready']]);

    writeFileSync(file, `${ORDERS.replace('auth: true', 'auth: false')}\n${CACHE}`);
    const impossible = await fleet.cli('db', 'apply', '--yes', '-f', file, '--json');
    assert.deepEqual(
      [impossible.code, impossible.json<{ error: { code: string } }>().error.code],
      [5, 'not_changeable'],
    );
    writeFileSync(file, `${ORDERS}colour: red\nreplica: 2\n`);
    const wrong = await fleet.cli('db', 'apply', '--yes', '-f', file);
    assert.equal(wrong.code, 2);
    assert.match(
      wrong.stderr,
      /spec\.yaml:9:1: colour: unknown field\n.*spec\.yaml:10:1: replica: .*did you mean replicas\?/,
    );
    const missing = await fleet.cli('db', 'apply', '-f', `${file}.no`, '--json');
    assert.deepEqual([missing.code, missing.json<{ error: { code: string } }>().error.code], [3, 'file_not_found']);

    const change = await fleet.cli('db', 'plan', 'orders', '--memory', '512mb', '--persistence', 'none', '--json');
    const { changes, steps } = change.json<PlanDocument>();
    assert.deepEqual(
      changes.map(({ field, from, to }) => [field, from, to]),
      [
        ['memoryBytes', 256 * MIB, 512 * MIB],
        ['persistence', 'aof', 'none'],
      ],
    );
    assert.deepEqual([...new Set(steps.map(({ kind }) => kind))], ['configure', 'write_config']);
    assert.equal((await fleet.show('orders')).generation, 2, 'planning changes nothing');
    assert.equal((await fleet.cli('db', 'plan')).code, 2);
    assert.equal((await fleet.cli('db', 'plan', 'orders', '-f', file)).code, 2);
  });
});
