import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFromAgent } from './agent-message.ts';

test('what a node waits for is read, and a report with something else there is none', () => {
  const node = {
    ...{ id: 'a'.repeat(40), database: 'main', databaseUid: 'uid-1', port: 7000 },
    ...{ process: { state: 'running', pid: 7 }, pulse: null, disk: {} },
  };
  const postponed = { kind: 'snapshot', reason: 'memory', neededBytes: 5, availableBytes: 0 };
  const read = (report: object) => readFromAgent(JSON.stringify({ type: 'node', node: report }));
  assert.deepEqual(read(node), { type: 'node', node });
  assert.deepEqual(read({ ...node, postponed }), { type: 'node', node: { ...node, postponed } });
  for (const wrong of [null, 'x', {}, { ...postponed, kind: 'x' }, { ...postponed, neededBytes: 1.5 }])
    assert.equal(read({ ...node, postponed: wrong }), null, JSON.stringify(wrong));
});
