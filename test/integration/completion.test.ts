import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { withFleet } from '../support/fleet.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

test("bash completes commands, options, choices and the databases' names", async () => {
  await withFleet({ machines: 1 }, async (fleet) => {
    const { stdout: script } = await fleet.cli('completion', 'bash');
    /** What bash offers when Tab is pressed after these words, of which the last may be begun. */
    const offered = (...words: string[]): string[] => {
      const line = ['valkeeper', ...words].map((word) => `'${word}'`).join(' ');
      const run = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length}; _valkeeper; printf '%s\n' "\${COMPREPLY[@]}"`;
      const env = { ...fleet.env(), PATH: `${dirname(LAUNCHER)}:${process.env['PATH']}` };
      const text = execFileSync('bash', ['-uc', run], { env, encoding: 'utf8' });
      return text.split('\n').filter((word) => word !== '');
    };
    assert.deepEqual(offered('d'), ['down', 'demo', 'db']);
    assert.deepEqual(offered('db', 'cre'), ['create']);
    assert.deepEqual(offered('db', 'create', 'x', '--pers'), ['--persistence']);
    assert.deepEqual(offered('db', 'create', 'x', '--persistence', 'a'), ['aof', 'aof-always']);
    assert.deepEqual(offered('db', 'create', 'x', '--shards', ''), []);
    assert.deepEqual(offered('--json', 'db', 'show', 'm'), ['main']);
    assert.deepEqual(offered('events', '--database', ''), ['main']);
    assert.deepEqual(offered('completion', ''), ['bash', '--version', '--data-dir', '--json', '--help']);
    assert.deepEqual(offered('db', 'connect', 'main', '--', ''), []);
    assert.ok(!offered('').includes('agent'), 'what the help hides is not offered');
  });
});
