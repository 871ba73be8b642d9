/** When an archive is told to lag behind, and how it is published. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, readyWorld } from '../../test/support/worlds.ts';
import type { ArchiveView } from '../domain/archive.ts';
import { archiveProblems, archiveStatus } from './archive.ts';
import { diagnose } from './diagnose.ts';

const { database, view } = readyWorld(fleet(3));

const archive = (more: Partial<ArchiveView> = {}): ArchiveView => ({
  ...{ place: '/srv/archive', everySeconds: 30, span: { from: 100, to: 200 }, fetchedAt: view.at, problem: null },
  ...more,
});

const told = (one: ArchiveView | undefined): string[] =>
  archiveProblems(database, one ? { ...view, archive: one } : view).map(
    ({ params }) => `${params['lag']}: ${params['reason']}`,
  );

it('is told after three intervals, with the reason', () => {
  assert.deepEqual(told(undefined), []);
  assert.deepEqual(told(archive({ fetchedAt: view.at - 90_000 })), []);
  assert.deepEqual(told(archive({ fetchedAt: view.at - 91_000 })), ['91 seconds: it takes longer than that']);
  const full = { everySeconds: 1, problem: 'the disk is full' };
  assert.deepEqual(told(archive({ ...full, fetchedAt: view.at - 9_000 })), [], 'a fetch takes its time');
  assert.deepEqual(told(archive({ ...full, fetchedAt: view.at - 11_000 })), ['11 seconds: the disk is full']);
});

it('is a condition of the database', () => {
  const lagging = { ...view, archive: archive({ fetchedAt: view.at - 91_000 }) };
  assert.ok(diagnose(database, lagging).some(({ code }) => code === 'archive_behind'));
});

it('is published with what can be restored', () => {
  assert.equal(archiveStatus(null), null);
  assert.deepEqual(archiveStatus(archive({ span: null })), { place: '/srv/archive', from: null, until: null });
  const { from, until } = archiveStatus(archive())!;
  assert.deepEqual([from, until], ['1970-01-01T00:01:40.000Z', '1970-01-01T00:03:20.000Z']);
});
