import assert from 'node:assert/strict';
import { it } from 'node:test';
import { selfTimes } from './cpu-profile.ts';

const frame = (functionName: string, url = '', lineNumber = -1) => ({ functionName, url, lineNumber });

it('adds up what each function ran itself, whoever called it, and leaves waiting out', () => {
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)') },
      { id: 2, callFrame: frame('scan', 'file:///a/b/src/proxy/scan.ts', 9) },
      { id: 3, callFrame: frame('scan', 'file:///a/b/src/proxy/scan.ts', 9) },
      { id: 4, callFrame: frame('', 'node:net', 0) },
      { id: 5, callFrame: frame('(idle)') },
    ],
    samples: [2, 4, 3, 5, 5],
    timeDeltas: [100, 1_000, 500, 2_000, 4_000],
  };
  assert.deepEqual(selfTimes(profile), {
    totalMs: 7.5,
    busyMs: 3.5,
    functions: [
      { name: 'scan', where: 'src/proxy/scan.ts:10', selfMs: 3 },
      { name: '(anonymous)', where: 'node:net:1', selfMs: 0.5 },
    ],
  });
});
