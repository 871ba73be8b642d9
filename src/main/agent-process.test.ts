import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { it } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';

it('leaves its error where `up` looks for it, and ends with the code of its kind', (t) => {
  const args = [join(import.meta.dirname, 'agent-process.ts'), '--machine', 'nowhere', '--data-dir', tempDir(t)];
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const { error } = JSON.parse(stdout) as { error: { code: string } };
  assert.equal(error.code, 'machine_not_found');
  assert.match(stderr, /nowhere/);
  assert.equal(status, 3);
});
