import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { majorityOf } from './disasters.ts';
import { halves, slotsWhileMoving } from './moving.ts';
import type { Node, Shard } from './system.ts';

const node = (machine: number): Node => ({ id: `${machine}`, pid: 1, machine, host: '', port: 1 });
const shard = (primary: number, replica: number, slots: Shard['slots'] = []): Shard => ({
  ...{ slots, primary: node(primary), replicas: [node(replica)] },
});

describe('what is hit', () => {
  it('of five machines, two with a primary each, so that every shard keeps a node, and the spared one stays', () => {
    assert.deepEqual(majorityOf([shard(2, 3), shard(4, 5), shard(1, 2)], [1]), [2, 4]);
    assert.deepEqual(majorityOf([shard(2, 3), shard(3, 5), shard(4, 1)], [1]), [2, 4], '2 and 3 have all of a shard');
    assert.throws(() => majorityOf([shard(2, 3), shard(3, 2), shard(1, 4)], [1]), /no two primaries/);
  });

  it('half of the slots move; the rest is what is waited for', () => {
    assert.deepEqual(halves([[0, 9]]), { staying: [[0, 4]], moving: [[5, 9]] });
    assert.deepEqual(halves([[0, 10]]), { staying: [[0, 5]], moving: [[6, 10]] });
    const several: Shard['slots'] = [
      [0, 9],
      [20, 22],
      [30, 30],
    ];
    const staying = [[0, 6]];
    const moving = [
      [7, 9],
      [20, 22],
      [30, 30],
    ];
    assert.deepEqual(halves(several), { staying, moving });
    assert.deepEqual(slotsWhileMoving([shard(1, 2, several), shard(2, 3, [[10, 19]])], 0), [
      staying,
      [[10, 19]],
      moving,
    ]);
  });
});
