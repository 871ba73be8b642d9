import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Progress } from './progress.ts';

/** What is written when two phases follow each other 0.4 s apart and then nothing changes for two seconds. */
function shown(isTTY: boolean, mock: { timers: typeof test.mock.timers }): string[] {
  const written: string[] = [];
  let now = 0;
  const tick = (ms: number): void => {
    now += ms;
    mock.timers.tick(ms);
  };
  const progress = new Progress({ isTTY, columns: 10, write: (text) => written.push(text) }, () => now);
  progress.phase('one');
  tick(800);
  progress.phase('two');
  tick(400);
  progress.phase('three is long');
  tick(400);
  progress.phase('four');
  tick(2000);
  progress.end();
  return written;
}

test('a line for each change, at most one a second, nothing in the first', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  assert.deepEqual(shown(false, mock), ['two\n', 'four\n']);
});

test('figures alone change slowly, words at once', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const written: string[] = [];
  let now = 0;
  const progress = new Progress({ write: (text) => written.push(text) }, () => now);
  for (const text of ['1 %', '2 %', '3 %', '4 %', 'done']) {
    progress.phase(text);
    now += 4000;
    mock.timers.tick(4000);
  }
  assert.deepEqual(written, ['1 %\n', '4 %\n', 'done\n']);
});

test('on a terminal one line that is rewritten and cut to its width', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const clear = '\r\u001b[2K';
  assert.deepEqual(shown(true, mock), [`${clear}two`, `${clear}three is `, `${clear}four`, clear]);
});

test('what changes to and fro is said every ten seconds', ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const written: string[] = [];
  let now = 0;
  const progress = new Progress({ write: (text) => written.push(text) }, () => now);
  for (let second = 0; second < 24; second += 2) {
    progress.phase(second % 4 === 0 ? 'waiting for a' : 'waiting for b');
    now += 2_000;
    mock.timers.tick(2_000);
  }
  assert.deepEqual(written.slice(0, 2), ['waiting for a\n', 'waiting for b\n']);
  assert.equal(written.length, 4, written.join(''));
});
