/** Archives that are on and off, on a clock moved by hand: whose log is fetched, and what is let go of those that are off. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { logAgents, withHistory } from '../../../test/support/append-log.ts';
import { valkeeperError } from '../../../test/support/errors.ts';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { eventually } from '../../../test/support/servers.ts';
import { tempDir } from '../../../test/support/temp-dir.ts';
import { fleet, readyWorld } from '../../../test/support/worlds.ts';
import { momentOf } from '../../domain/archive.ts';
import { createLogger } from '../../platform/log.ts';
import type { AgentOperation, AgentRequests } from '../../protocol/agent-messages.ts';
import { openMemoryStore } from '../../store/memory.ts';
import { Archives } from './archives.ts';
import { ArchiveRecords } from './records.ts';

const BEGIN = 1_000_000_000;
const EVERY_MS = 30_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const { database, view: seen } = readyWorld(fleet(3), { shards: 2, replicas: 0 });
const view = withHistory(seen);
const { log } = createLogger({ name: 'test', level: 'error' });

async function scene(t: TestContext) {
  const clock = new ManualClock();
  clock.stall(BEGIN * 1_000);
  const logs = logAgents(
    database.nodes.map(({ id }) => id),
    () => clock.now(),
  );
  const dropped: string[] = [];
  const told: string[] = [];
  let present: typeof database | undefined = database;
  const agents = {
    request: async <O extends AgentOperation>(machine: string, operation: O, args: AgentRequests[O]['args']) => {
      if (operation === 'drop_append_log') {
        dropped.push((args as { id: string }).id);
        return null as AgentRequests[O]['result'];
      }
      return logs.request(machine, operation, args);
    },
  };
  const records = await ArchiveRecords.open(openMemoryStore());
  const place = tempDir(t);
  const archives = new Archives({
    ...{ agents, clock, log, records, keys: [], defaultPlace: place, version: '1', engineVersion: '9.1.2' },
    observe: async () => ({ ...view, at: clock.now() }),
    databases: { find: () => present, get: () => present! },
    record: ({ kind }) => told.push(kind),
    requireRunning: () => {},
  });
  archives.begin();
  t.after(() => archives.close());
  return {
    ...{ archives, dropped, told, clock },
    folder: join(place, '_archive', database.name, database.uid),
    remove: (): void => {
      present = undefined;
    },
    /** So much later its loop has looked. */
    pass: async (ms: number): Promise<void> => {
      clock.stall(ms);
      clock.advance(0);
      await eventually('the loop waits again', async () => clock.waiting === 1);
    },
  };
}

/** On, and with a window. */
async function begun(one: Awaited<ReturnType<typeof scene>>, keepDays: number | null): Promise<void> {
  const { archives, clock, pass } = one;
  await archives.set(database.name, { keepDays });
  for (const ms of [1_000, EVERY_MS]) {
    const before = clock.now();
    await pass(ms);
    await eventually('a look', async () => archives.view(database.uid)!.fetchedAt > before);
  }
  assert.equal(archives.list()[0]!.window.length, 1);
}

it('removes of an archive that is off what is kept no longer, and at last all of it', async (t) => {
  const one = await scene(t);
  const { archives, dropped, told, pass, folder } = one;
  await begun(one, 2);
  const { state, window } = await archives.turnOff(database.name);
  assert.equal(state, 'off');
  assert.equal(window[0]?.from, momentOf(BEGIN + 3));
  assert.deepEqual(dropped.sort(), database.nodes.map(({ id }) => id).sort());
  await pass(DAY_MS);
  await pass(DAY_MS - HOUR_MS);
  assert.deepEqual((await archives.show(database.name)).window, window, 'none of it is too old');
  await pass(2 * HOUR_MS);
  assert.equal(existsSync(folder), false);
  assert.deepEqual(archives.list(), []);
  assert.deepEqual(told, ['archive_begun', 'archive_ended', 'archive_removed']);
  await assert.rejects(archives.show(database.name), valkeeperError('archive_not_found'));
});

it('ends with its database, and is kept for as long as was asked', async (t) => {
  const one = await scene(t);
  const { archives, told, pass, remove, folder } = one;
  await begun(one, null);
  const [before] = archives.list();
  remove();
  await pass(1_000);
  await eventually('its end', async () => archives.list()[0]!.state === 'off');
  await pass(1_000 * DAY_MS);
  const { window } = await archives.show(database.uid);
  assert.equal(window[0]?.from, before!.window[0]!.from);
  assert.deepEqual(told, ['archive_begun', 'archive_ended']);
  await archives.remove(database.uid);
  assert.equal(existsSync(folder), false);
});
