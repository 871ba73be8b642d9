import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { tempDir } from '../../test/support/temp-dir.ts';
import { endpointOf, pathsIn, runningServer } from './data-dir.ts';
import { changeFleet, planMachines, readFleet } from './fleet-file.ts';
import { prepareDataDir } from './prepare.ts';

const modeOf = (path: string): number => statSync(path).mode & 0o777;

test('makes folders and tokens for their owner only, and keeps what is there', (t) => {
  const place = tempDir(t);
  const dir = join(place, 'a', 'b');
  prepareDataDir(dir);
  const { token, agentToken, control } = pathsIn(dir);
  const first = readFileSync(token, 'utf8');
  assert.ok(first.length >= 32 && first !== readFileSync(agentToken, 'utf8'));
  assert.deepEqual([modeOf(dir), modeOf(control), modeOf(token), modeOf(agentToken)], [0o700, 0o700, 0o600, 0o600]);
  prepareDataDir(dir);
  assert.equal(readFileSync(token, 'utf8'), first);
});

test('names what is in the way', (t) => {
  const place = tempDir(t);
  const file = join(place, 'file');
  writeFileSync(file, '');
  for (const dir of [file, join(file, 'below'), '/proc/valkeeper']) {
    const problem = { code: 'data_dir_unusable', kind: 'invalid', message: new RegExp(` ${dir} `) };
    assert.throws(() => prepareDataDir(dir), problem);
  }
});

test('machines have consecutive addresses and share the memory', () => {
  const [first, second] = planMachines(2, '127.0.3.253');
  assert.deepEqual([first?.name, first?.address, second?.address], ['machine-1', '127.0.3.253', '127.0.3.254']);
  assert.equal(first?.memoryBytes, second?.memoryBytes);
  assert.ok(first!.memoryBytes > 0);
});

for (const base of ['10.0.0.1', '127.0.0', '127.0.0.254', '127.0.0.0', '127.0.999.1', 'localhost']) {
  test(`no machines at ${base}`, () => {
    assert.throws(() => planMachines(2, base), { code: 'invalid_value', message: /^--address-base: .*, is / });
  });
}

test('the fleet file takes changes one by one', async (t) => {
  const place = tempDir(t);
  assert.equal(await readFleet(place), null);
  await changeFleet(place, { machines: planMachines(1, '127.0.0.11') });
  await changeFleet(place, { apiPort: 7420 });
  const fleet = await readFleet(place);
  assert.deepEqual([fleet?.machines.length, fleet?.apiPort, fleet?.createdMain], [1, 7420, false]);
  writeFileSync(pathsIn(place).fleet, '{}');
  await assert.rejects(readFleet(place), { code: 'file_damaged' });
});

test('a server that was recorded and is gone does not run', (t) => {
  const place = tempDir(t);
  prepareDataDir(place);
  assert.throws(() => endpointOf(place), { code: 'not_running' });
  const record = { pid: process.pid, startTime: 1, url: 'http://127.0.0.1:1' };
  writeFileSync(pathsIn(place).server, JSON.stringify(record));
  assert.equal(runningServer(place), null, 'this number is now another process');
});
