import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { install } from '../../src/engine/tools.ts';
import { type Fleet, withFleet } from '../support/fleet.ts';

const LAUNCHER = join(import.meta.dirname, '..', '..', 'valkeeper');

/** Options of every command. */
const EVERYWHERE = ['--api-token-file', '--ca', '--data-dir', '--help', '--json', '--server', '--version'];

/** A program that prints, a line each, what is offered when Tab is pressed after the words, of which the last may be begun. */
const PROGRAMS: Record<string, (script: string, words: readonly string[]) => string[]> = {
  bash: (script, words) => [
    '-uc',
    `${script}\nCOMP_WORDS=(${quoted(words)}); COMP_CWORD=${words.length - 1}; _valkeeper; printf '%s\n' "\${COMPREPLY[@]}"`,
  ],
  // Only a terminal's line editor may call zsh's own compadd: this one does what it does with -a.
  zsh: (script, words) => [
    '-fc',
    `compdef() {}
compadd() { local -a all=("\${(@P)2}"); print -rl -- \${(M)all:#\${words[CURRENT]}*} }
${script}
words=(${quoted(words)}); CURRENT=${words.length}; _valkeeper`,
  ],
  fish: (script, words) => ['-Nc', `${script}\ncomplete -C '${words.join(' ')}'`],
};

const quoted = (words: readonly string[]): string => words.map((word) => `'${word}'`).join(' ');

const isThere = (shell: string): boolean => {
  try {
    execFileSync(shell, ['-c', 'true'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
};

async function completes(fleet: Fleet, shell: string): Promise<void> {
  const { stdout: script } = await fleet.cli('completion', shell);
  const env = { ...fleet.env(), PATH: `${dirname(LAUNCHER)}:${process.env['PATH']}` };
  const offered = (...words: string[]): string[] => {
    const args = PROGRAMS[shell]!(script, ['valkeeper', ...words]);
    const text = execFileSync(shell, args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
    return text
      .split('\n')
      .filter((word) => word !== '')
      .sort();
  };
  assert.deepEqual(offered('d'), ['db', 'demo', 'doctor', 'down']);
  assert.deepEqual(offered('db', 'cre'), ['create']);
  assert.deepEqual(offered('db', 'create', 'x', '--pers'), ['--persistence']);
  assert.deepEqual(offered('db', 'create', 'x', '--persistence', 'a'), ['aof', 'aof-always']);
  assert.deepEqual(offered('db', 'create', 'x', '--shards', ''), []);
  assert.deepEqual(offered('--json', 'db', 'show', 'm'), ['main']);
  assert.deepEqual(offered('db', 'exp'), ['explain', 'export']);
  assert.deepEqual(offered('db', 'explain', ''), [...EVERYWHERE, 'main']);
  assert.deepEqual(offered('events', '--database', ''), ['main']);
  assert.deepEqual(offered('completion', 'z'), ['zsh']);
  assert.deepEqual(offered('completion', '--'), EVERYWHERE);
  assert.deepEqual(offered('db', 'connect', 'main', '--', ''), []);
  assert.deepEqual(offered('agent', '--m'), ['--memory'], 'what the help hides is not offered: --machine');
  if (shell !== 'zsh') assert.ok(offered('db', 'apply', '-f', LAUNCHER.slice(0, -3)).includes(LAUNCHER), 'a file');
}

test("bash, zsh and fish complete commands, options, choices and the databases' names", async (t) => {
  const missing = async () =>
    ['zsh', 'fish'].filter((shell) => !isThere(shell)).map((shell) => ({ what: shell, debianPackage: shell }));
  await install(missing, process.env, () => {});
  await withFleet({ machines: 1 }, async (fleet) => {
    for (const shell of Object.keys(PROGRAMS)) {
      const skip = shell === 'bash' || isThere(shell) ? false : `${shell} is not installed`;
      await t.test(shell, { skip }, () => completes(fleet, shell));
    }
  });
});
