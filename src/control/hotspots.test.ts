/** Which slots and keys are told to be hot. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keySlot } from '../domain/key-slot.ts';
import { SLOT_COUNT } from '../domain/slots.ts';
import { argumentsIn } from '../valkey/monitor.ts';
import { hotspotsIn } from './hotspots.ts';
import { KeyCounts } from './key-counts.ts';
import { shareOut } from './slot-loads.ts';

const shards = [
  { name: 'shard-1', slots: [[0, 8_191]] as const },
  { name: 'shard-2', slots: [[8_192, SLOT_COUNT - 1]] as const },
];

it('tells what every shard has, and the hottest slots with what is too hot for any spread', () => {
  const cpu = new Float64Array(SLOT_COUNT);
  cpu[5] = 600_000;
  cpu[9_000] = 300_000;
  cpu[9_001] = 100_000;
  const found = hotspotsIn({ shards, cpu, bytes: cpu, keys: new Float64Array(SLOT_COUNT).fill(1) }, 2);
  assert.deepEqual(
    found.shards.map(({ shard, share, cpuPercent, keys }) => [shard, share, cpuPercent, keys]),
    [
      ['shard-1', 0.6, 60, 8_192],
      ['shard-2', 0.4, 40, 8_192],
    ],
  );
  assert.deepEqual(
    found.slots.map(({ slot, shard, share, tooHot }) => [slot, shard, share, tooHot]),
    [
      [5, 'shard-1', 0.6, true],
      [9_000, 'shard-2', 0.3, false],
    ],
  );
});

it('has no hot slot where nothing happens', () => {
  const none = new Float64Array(SLOT_COUNT);
  const found = hotspotsIn({ shards, cpu: none, bytes: none, keys: none }, 10);
  assert.deepEqual(found.slots, []);
  assert.ok(found.shards.every(({ share }) => share === 0));
});

it('counts the keys of hot slots, wherever they stand in a command', () => {
  const counts = new KeyCounts([keySlot('a'), keySlot('b')]);
  for (let times = 0; times < 3; times += 1) counts.note(['GET', 'a']);
  counts.note(['EVAL', 'return 1', '1', 'a']);
  counts.note(['SET', '{a}:2', 'b']);
  counts.note(['GET', 'elsewhere']);
  counts.note(['PING']);
  const found = counts.hottest();
  assert.deepEqual(found.get(keySlot('a')), [
    { key: 'a', share: 0.8 },
    { key: '{a}:2', share: 0.2 },
  ]);
  assert.equal(found.has(keySlot('b')), false);
});

it('reads what MONITOR shows', () => {
  const line = String.raw`1339518083.107412 [0 127.0.0.1:60866] "set" "k \"1\"" "a\\b\n\xc3\xa9"`;
  assert.deepEqual(argumentsIn(line), ['set', 'k "1"', 'a\\b\né']);
  assert.deepEqual(argumentsIn('OK'), []);
});

it('shares out by traffic what a process used beside its commands', () => {
  const costs = new Map([
    [1, { cpuUsec: 1_000, bytes: 300 }],
    [2, { cpuUsec: 3_000, bytes: 100 }],
    [3, { cpuUsec: 0, bytes: 0 }],
  ]);
  const shared = (processUsec: number) => [...shareOut(costs, processUsec).values()].map(({ cpuUsec }) => cpuUsec);
  assert.deepEqual(shared(12_000), [7_000, 5_000, 0]);
  assert.deepEqual(shared(100), [1_000, 3_000, 0], 'the process cannot have used less than its commands');
});
