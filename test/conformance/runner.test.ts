/** The runner judged by what is known: bytes handed on pass everything, one command kept back is told, and nothing stays. */
import assert from 'node:assert/strict';
import { it, type TestContext } from 'node:test';
import { testEngine } from '../support/engine.ts';
import { readBaseline } from './baseline.ts';
import { type Conformance, conform } from './conform.ts';
import { DirectNode } from './direct-node.ts';
import { type Fault, PassThrough } from './pass-through.ts';
import { openSuite, type Suite } from './run-unit.ts';

const UNIT = 'unit/keyspace';
const SILENCE_S = 2;

/** Runs the work with a node, the bytes to and from it handed on, and a copy of the suite. */
async function withNode<T>(fault: Fault | null, work: (suite: Suite, front: PassThrough) => Promise<T>): Promise<T> {
  const engine = await testEngine();
  await using node = await DirectNode.start(engine);
  await using front = await PassThrough.start(node, fault);
  using suite = await openSuite(engine, () => {});
  return await work(suite, front);
}

const runUnit = (t: TestContext, fault: Fault | null): Promise<Conformance> =>
  withNode(fault, (suite, front) =>
    conform(suite, readBaseline(), front.address, { units: [UNIT], signal: t.signal, again: true }),
  );

it('finds nothing wrong where bytes are handed on', async (t) => {
  const { expected, passed, percent, units } = await runUnit(t, null);
  assert.deepEqual(units[0]!.notPassed, []);
  assert.deepEqual([passed, percent, units[0]!.stopped], [expected, 100, null]);
  assert.ok(expected > 50, `${expected} tests`);
});

it('tells of a command that does not arrive', async (t) => {
  const { expected, passed, units } = await runUnit(t, { command: 'RENAMENX', how: 'unknown' });
  const { notPassed, passedLater } = units[0]!;
  assert.equal(passed, expected - notPassed.length);
  assert.ok(notPassed.length >= 3 && notPassed.length < expected / 2, `${notPassed.length} of ${expected}`);
  const basic = notPassed.find(({ name }) => name === 'RENAMENX basic usage');
  assert.equal(basic?.how, 'failed');
  assert.match(basic.detail, /unknown command/);
  assert.ok(!passedLater.includes('RENAMENX basic usage'));
});

it('counts what a unit that is cut short did not come to', async (t) => {
  const names = readBaseline().units.get(UNIT)!;
  const { stopped, outcomes } = await withNode({ command: 'RENAMENX', how: 'no answer' }, (suite, front) =>
    suite.run(UNIT, front.address, t.signal, { silenceS: SILENCE_S }),
  );
  assert.equal(stopped, 'no progress in: RENAMENX basic usage');
  assert.deepEqual(
    outcomes.filter(({ status }) => status === 'ok').map(({ name }) => name),
    names.slice(0, names.indexOf('RENAMENX basic usage')),
  );
});

it('counts nothing where preparing is refused', async (t) => {
  const { passed, expected, units } = await runUnit(t, { command: 'FLUSHALL', how: 'unknown' });
  const [unit] = units;
  assert.equal(passed, 0);
  assert.equal(unit!.notPassed.length, expected);
  assert.match(unit!.stopped ?? '', /unknown command/);
});
