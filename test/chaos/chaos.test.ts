/** A short run of chaos with one seed: a fleet of real machines, every class of fault that is quick, and no promise broken. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { it } from 'node:test';
import { tempDir } from '../support/temp-dir.ts';
import { runChaos } from './chaos.ts';
import type { FaultName } from './faults/names.ts';
import { scenarioOf } from './scenario.ts';

const SEED = 12;
const TROUBLE_MS = 10_000;
const NAMES: FaultName[] = [
  'kill-primary',
  'kill-replica',
  'kill-agent',
  'kill-server',
  'stop-endpoint',
  'lose-packets',
];
const isRoot = process.getuid?.() === 0;

it('keeps its promises while things fail', { skip: isRoot ? false : 'namespaces need root' }, async (t) => {
  const out = tempDir(t);
  const scenario = { ...scenarioOf(SEED, false), machines: ['m1', 'm2', 'm3'], wobbly: 'm3', clients: ['m1'] };
  const rounds = await runChaos({
    ...{ scenario, names: NAMES, troubleMs: TROUBLE_MS, out },
    another: (played) => played === 0,
    progress: (line) => t.diagnostic(line),
  });
  const { trouble, verdicts, faults } = rounds[0]!;
  assert.equal(trouble, null);
  assert.ok(faults.filter(({ leftOut }) => leftOut === null).length >= 2, JSON.stringify(faults));
  for (const { name } of scenario.databases) {
    const { violations, operations } = verdicts[name]!;
    assert.deepEqual(violations, []);
    assert.ok(operations.ok > 200, `${name}: ${operations.ok} operations`);
  }
  const kept = readdirSync(`${out}/round-1`);
  for (const file of ['schedule.txt', 'result.json', 'finals-strict.json']) assert.ok(kept.includes(file), `${kept}`);
  assert.ok(kept.some((file) => file.startsWith('history-')));
});
