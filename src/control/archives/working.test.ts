/** An archive from look to look, on a clock moved by hand: what it reaches, what it leaves out, what it lets go. */
import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { logAgents, withHistory } from '../../../test/support/append-log.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { fleet, readyWorld } from '../../../test/support/worlds.ts';
import type { Database } from '../../domain/database.ts';
import type { Reshard } from '../../domain/reshard.ts';
import { createLogger } from '../../platform/log.ts';
import type { AgentOperation, AgentRequests } from '../../protocol/agent-messages.ts';
import type { ArchiveRecord } from './records.ts';
import { Shelf } from './shelf.ts';
import { WorkingArchive } from './working.ts';

const BEGIN = 1_000_000_000;
const DAY = 24 * 3_600;
const { database: ready, view: seen } = readyWorld(fleet(3), { shards: 2, replicas: 0 });
const view = withHistory(seen);
const { log } = createLogger({ name: 'test', level: 'error' });

async function scene(t: TestContext, keepDays: number | null = null) {
  const clock = new ManualClock();
  clock.stall(BEGIN * 1_000);
  const { logs, request } = logAgents(
    ready.nodes.map(({ id }) => id),
    () => clock.now(),
  );
  let database: Database = ready;
  let failure: Error | null = null;
  const agents = {
    request: async <O extends AgentOperation>(machine: string, operation: O, args: AgentRequests[O]['args']) => {
      if (failure) throw failure;
      return request(machine, operation, args);
    },
  };
  const place = tempDir(t);
  const open = async (): Promise<WorkingArchive> =>
    new WorkingArchive(
      {
        ...{ agents, clock, log, bytesPerSecond: 1e12, version: '1', engineVersion: '9.1.2', isEncrypted: false },
        observe: async () => ({ ...view, at: clock.now() }),
        find: () => database,
      },
      await Shelf.open(place, { name: database.name, uid: database.uid }, []),
    );
  let archive = await open();
  const record: ArchiveRecord = {
    ...{ name: ready.uid, database: ready.name, place, isOn: true, everySeconds: 30, keepDays, encrypted: false },
    since: BEGIN * 1_000,
  };
  return {
    logs,
    record,
    archive: () => archive,
    window: () => archive.window.map(({ from, to }) => [from - BEGIN, to - BEGIN]),
    /** So many seconds later. */
    look: async (seconds: number): Promise<void> => {
      clock.advance(seconds * 1_000);
      await archive.look(record);
    },
    change: (more: Partial<Database>): void => {
      database = { ...database, ...more };
    },
    fail: (error: Error | null): void => {
      failure = error;
    },
    /** Another control plane leads. */
    replace: async (): Promise<void> => {
      await archive.close();
      archive = await open();
    },
    onDisk: async () => (await Shelf.open(place, { name: ready.name, uid: ready.uid }, [])).read(),
  };
}

it('reaches from its beginning to a moment ago, and goes on with another control plane', async (t) => {
  const { look, window, replace, archive, onDisk } = await scene(t);
  await look(0);
  assert.deepEqual([window(), archive().problem], [[], null]);
  await look(30);
  assert.deepEqual(window(), [[2, 26]]);
  await replace();
  await look(30);
  assert.deepEqual(window(), [[2, 56]]);
  const { layouts, chains } = await onDisk();
  assert.deepEqual([layouts.length, chains.length], [1, 2]);
});

it('leaves out the time in which slots are on their way', async (t) => {
  const { look, window, change, replace } = await scene(t);
  await look(0);
  await look(30);
  change({ reshard: {} as Reshard });
  await look(30);
  assert.deepEqual(window(), [[2, 28]], 'the last time at which they were known to be where they were, less the skew');
  await look(30);
  await replace();
  change({ reshard: null });
  await look(30);
  await look(30);
  assert.deepEqual(window(), [
    [2, 28],
    [122, 146],
  ]);
});

it('begins another layout with another spec, and leaves nothing out', async (t) => {
  const { look, window, change, onDisk } = await scene(t);
  await look(0);
  await look(30);
  change({ generation: 2 });
  await look(30);
  await look(30);
  assert.deepEqual(window(), [[2, 86]]);
  assert.deepEqual(
    (await onDisk()).layouts.map(({ database }) => database.generation),
    [1, 2],
  );
});

it('says why it does not go on, and goes on', async (t) => {
  const { look, window, fail, archive, record } = await scene(t);
  await look(0);
  fail(new Error('nobody is there'));
  await look(30);
  assert.match(archive().problem ?? '', /^shard-1: nobody is there; shard-2: nobody is there$/);
  assert.equal(archive().view(record).fetchedAt, BEGIN * 1_000);
  fail(null);
  await look(30);
  assert.deepEqual([archive().problem, window()], [null, [[2, 56]]]);
  assert.deepEqual(archive().view(record).fetchedAt, (BEGIN + 60) * 1_000);
});

it('lets go of what is older than it is to keep, chain by chain', async (t) => {
  const { look, logs, window, onDisk, archive } = await scene(t, 2);
  await look(0);
  await look(DAY);
  for (const one of logs) {
    one.now = BEGIN + DAY;
    one.rewrite();
  }
  await look(30);
  await look(30);
  assert.equal((await onDisk()).chains.length, 4);
  await look(2 * DAY - 3_600);
  assert.deepEqual(window(), [[2, 3 * DAY + 60 - 3_600 - 4]], 'the end of the first chains is not too old yet');
  await look(3_700);
  assert.equal(archive().problem, null);
  const { chains, layouts } = await onDisk();
  assert.deepEqual([chains.length, layouts.length], [2, 1]);
  assert.deepEqual(window(), [[DAY, 3 * DAY + 60 + 100 - 4]]);
});

it('goes on where something of it is damaged, and says what', async (t) => {
  const { look, window, replace, onDisk, record } = await scene(t);
  await look(0);
  await look(30);
  const folder = join(record.place, '_archive', ready.name, ready.uid);
  const shard = join(folder, 'shards', 'shard-1');
  writeFileSync(join(shard, readdirSync(shard)[0]!, 'chain'), 'not what was written');
  writeFileSync(join(folder, 'layouts', readdirSync(join(folder, 'layouts'))[0]!), 'nor this');
  const { damaged, chains, layouts } = await onDisk();
  assert.deepEqual([damaged.length, chains.length, layouts[0]!.isMoving, layouts[0]!.from], [2, 1, true, BEGIN + 2]);
  await replace();
  await look(30);
  await look(30);
  assert.deepEqual(window(), [[62, 86]]);
});
