/**
 * Some of the engine's own tests, through the endpoint of a database of three shards, as an application would meet it.
 * What is not expected to pass is listed with its reason; the whole suite: `npm run conformance`.
 */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { readBaseline } from '../conformance/baseline.ts';
import { conform } from '../conformance/conform.ts';
import { surprisesOf } from '../conformance/expected.ts';
import { openSuite } from '../conformance/run-unit.ts';
import { testEngine } from '../support/engine.ts';
import { withFleet } from '../support/fleet.ts';

/** Quick ones, which together touch most kinds of commands. */
const UNITS = [
  'unit/keyspace',
  'unit/multi',
  'unit/protocol',
  'unit/pubsub',
  'unit/tracking',
  'unit/type/hash',
  'unit/type/incr',
  'unit/type/string',
];
const NAME = 'suite';
const CREATE = ['db', 'create', NAME, '--shards', '3', '--memory', '384mb', '--persistence', 'none', '--no-auth'];

it("passes the engine's own tests through the endpoint, but for those listed", async (t) => {
  using suite = await openSuite(await testEngine(), () => {});
  await withFleet({}, async (fleet) => {
    assert.equal((await fleet.cli(...CREATE)).code, 0);
    const { endpoint } = await fleet.show(NAME);
    assert.ok(endpoint !== null, 'the database has an endpoint');
    const { units } = await conform(suite, readBaseline(), endpoint, { units: UNITS, signal: t.signal });
    for (const unit of units) {
      await t.test(`${unit.unit}: ${unit.passed} of ${unit.expected}`, () => {
        assert.deepEqual(
          surprisesOf(unit),
          { failed: [], passed: [] },
          `${unit.stopped ?? ''}\n${unit.between.join('\n')}`,
        );
      });
    }
  });
});
