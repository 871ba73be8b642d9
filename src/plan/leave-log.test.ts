/** An owner gives up its append-only file last: while a copy is away, what lies on its disk may be the newest there is. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fleet, killed, readyWorld } from '../../test/support/worlds.ts';
import type { DatabaseView } from '../domain/view.ts';
import { plan } from './plan.ts';

it('an owner keeps its log while a copy is away, and gives it up when all are there', () => {
  const { database, view } = readyWorld(fleet(3), { persistence: 'aof-always' });
  const wished = { ...database, generation: 2, spec: { ...database.spec, persistence: 'none' } as const };
  const [owner, copy] = database.nodes.filter(({ shard }) => shard === 'shard-1').map(({ id }) => id);
  const leaves = (seen: DatabaseView): boolean =>
    plan(wished, seen).steps.some(
      (step) => step.target === owner && step.kind === 'write_config' && step.args.settings['appendonly'] === 'no',
    );
  assert.equal(leaves(view), true);
  assert.equal(leaves(killed(view, copy!)), false);
  assert.ok(plan(wished, killed(view, copy!)).blocked.some(({ reason }) => reason.includes('while a copy is away')));
});
