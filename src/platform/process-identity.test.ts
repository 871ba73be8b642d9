import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { identify, isRunning, startTimeOf } from './process-identity.ts';

test('a running process is known by number and start time', () => {
  const self = identify(process.pid)!;
  assert.ok(isRunning(self));
  assert.ok(!isRunning({ ...self, startTime: self.startTime - 1 }), 'another process had the number before');
});

test('an ended process is not running', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = identify(child.pid!)!;
  child.kill('SIGKILL');
  await once(child, 'exit');
  assert.ok(!isRunning(identity));
  assert.equal(startTimeOf(child.pid!), null);
});
