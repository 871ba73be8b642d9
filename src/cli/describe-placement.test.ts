import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PlacementExplanation, RuleExplanation } from '../domain/placement.ts';
import { describePlacement } from './describe-placement.ts';

const rule = (facts: Partial<RuleExplanation>): RuleExplanation => ({
  rule: 'apart',
  hard: true,
  holds: true,
  avoidable: false,
  breaches: [],
  obstacles: [],
  remedy: null,
  figures: null,
  sentences: ['All is well.'],
  ...facts,
});

const MIB = 1024 ** 2;

const explanation: PlacementExplanation = {
  database: 'main',
  generation: 1,
  shards: 1,
  replicas: 0,
  reserve: { dataBytes: 64 * MIB, spareBytes: 16 * MIB, processBytes: 16 * MIB, totalBytes: 96 * MIB },
  rules: [
    rule({}),
    rule({ rule: 'zones', holds: false, sentences: ['It is so.', 'Because of that.', 'Add a machine.'] }),
    rule({ rule: 'majority', holds: false, avoidable: true }),
    rule({ rule: 'even_primaries', hard: false, holds: false, avoidable: true }),
  ],
  nodes: [
    {
      node: '0123456789'.repeat(4),
      shard: 'shard-1',
      role: 'primary',
      machine: 'machine-1',
      zone: 'a',
      others: [],
      nodesHere: 1,
      primariesHere: 1,
      memoryBytes: 0,
      reservedBytes: 0,
      elsewhere: [],
      sentences: ['It is the only copy of shard-1.', 'There is no other machine.'],
    },
  ],
};

test('tells the reserve, every rule with its verdict, and every node', () => {
  assert.equal(
    describePlacement(explanation),
    `main: 1 shard, 0 replicas each
Each node reserves 96mb: 64mb for data, 16mb for forks and buffers, 16mb for the process.

holds        apart           All is well.
cannot hold  zones           It is so.
                             Because of that.
                             Add a machine.
BROKEN       majority        All is well.
uneven       even_primaries  All is well.

shard-1 primary 01234567 on machine-1, zone a
  It is the only copy of shard-1.
  There is no other machine.`,
  );
});
