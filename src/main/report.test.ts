import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from './report.ts';

const env = { VALKEEPER_DEFAULT_HOME: '/src/valkeeper/.valkeeper' };

test('a checkout is called as its launcher is reached from here', () => {
  assert.equal(commandLine('/src/valkeeper/.valkeeper', env, '/src/valkeeper')('down'), './valkeeper down');
  assert.equal(commandLine('/src/valkeeper/.valkeeper', env, '/home')('down'), '/src/valkeeper/valkeeper down');
});

test('another directory is named, quoted for the shell', () => {
  assert.equal(
    commandLine("/it's mine", env, '/src/valkeeper')('db show main'),
    "./valkeeper db show main --data-dir '/it'\\''s mine'",
  );
  assert.equal(commandLine('/data', { VALKEEPER_HOME: '/data' }, '/')('status'), 'valkeeper status');
});
