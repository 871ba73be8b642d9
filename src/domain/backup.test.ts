import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backupId, timeInBackupId } from './backup.ts';

test('an id tells when its backup was begun, whatever the database is called', () => {
  const at = Date.parse('2026-11-27T17:32:28.792Z');
  for (const name of ['big', 'a-20200101T000000Z-b']) {
    assert.equal(timeInBackupId(backupId(name, at, '902814ab')), at - 792);
  }
  for (const id of ['', 'big', 'big-20269999T999999Z-902814']) assert.equal(timeInBackupId(id), null);
});
