import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { valkeeperError } from '../../test/support/errors.ts';
import { tempDir } from '../../test/support/temp-dir.ts';
import type { GuardedDatabase, VoterList } from '../domain/roster.ts';
import { Roster } from './roster.ts';

const listOf = (version: number, ...machines: string[]): VoterList => ({
  version,
  voters: machines.map((machine) => ({ machine, address: '127.0.0.1', port: 7450, leased: true })),
});

const GUARDED = {
  ...{ name: 'main', uid: 'u1', adminPassword: 'secret', spec: {}, wantedPrimaries: {}, retired: [] },
  nodes: [{ id: 'a', shard: 'shard-1', machine: 'm1', host: '127.0.0.1', port: 7000, birth: { role: 'replica' } }],
} as unknown as GuardedDatabase;

const scene = async (t: TestContext) => {
  const dir = tempDir(t);
  return { dir, path: join(dir, 'roster.json'), roster: await Roster.open(dir) };
};

describe('the roster', () => {
  it('knows after a restart what it was told, and nobody else reads it', async (t) => {
    const { dir, path, roster } = await scene(t);
    assert.deepEqual([roster.voters, roster.databases], [listOf(0), []]);
    let changes = 0;
    roster.on('changed', () => {
      changes += 1;
    });
    await Promise.all([roster.setVoters(listOf(1, 'm1')), roster.guard([GUARDED]), roster.guard([GUARDED])]);
    assert.equal(changes, 2);
    const { voters, databases } = await Roster.open(dir);
    assert.deepEqual([voters, databases], [listOf(1, 'm1'), [GUARDED]]);
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('takes no older list of voters, and none of the same version', async (t) => {
    const { dir, roster } = await scene(t);
    await roster.setVoters(listOf(3, 'm1', 'm2'));
    await roster.setVoters(listOf(3, 'm3'));
    await roster.setVoters(listOf(2, 'm4'));
    assert.deepEqual(roster.voters, listOf(3, 'm1', 'm2'));
    assert.deepEqual((await Roster.open(dir)).voters, listOf(3, 'm1', 'm2'));
  });

  it('believes what is on disk: what could not be written is not in force', async (t) => {
    const { dir, roster } = await scene(t);
    await roster.setVoters(listOf(1, 'm1'));
    rmSync(dir, { recursive: true });
    await assert.rejects(roster.setVoters(listOf(2, 'm1', 'm2')), valkeeperError('file_unusable'));
    assert.deepEqual(roster.voters, listOf(1, 'm1'));
    mkdirSync(dir);
    await roster.setVoters(listOf(2, 'm1', 'm2'));
    assert.deepEqual((await Roster.open(dir)).voters, listOf(2, 'm1', 'm2'));
  });

  for (const [what, text] of Object.entries({
    'no JSON': '{"voters"',
    'no object': 'null',
    'no voters': '{"databases":[]}',
    'a voter without a port': JSON.stringify({
      voters: { version: 1, voters: [{ machine: 'a', address: 'b' }] },
      databases: [],
    }),
    'a database without nodes': JSON.stringify({ voters: listOf(1), databases: [{ name: 'main' }] }),
  })) {
    it(`is called damaged when it is ${what}`, async (t) => {
      const { dir, path } = await scene(t);
      writeFileSync(path, text);
      await assert.rejects(Roster.open(dir), valkeeperError('file_damaged'));
      assert.equal(readFileSync(path, 'utf8'), text);
    });
  }
});
