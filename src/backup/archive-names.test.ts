/** What the names of an archive's objects tell. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import {
  archivePrefix,
  baseName,
  chainName,
  chainPrefix,
  type LogPiece,
  layoutName,
  listedArchive,
  logName,
  logWay,
} from './archive-names.ts';
import { nameProblem } from './names.ts';

const piece = (seq: number, offset: number, bytes: number, until = 0, isLast = false): LogPiece => ({
  ...{ seq, offset, bytes, until, isLast },
});

it('says what there is by names alone', () => {
  const archive = archivePrefix('main', 'uid-1');
  const chain = chainPrefix(archive, 'shard-1', '1795-abc');
  const pieces = [piece(1, 0, 100, 50), piece(12, 10 ** 12, 16 * 1024 ** 2, 1_795_799_564, true)];
  const names = [
    layoutName(archive, 1_795_799_000),
    layoutName(archive, 50),
    baseName(chain),
    chainName(chain),
    ...pieces.map((one) => logName(chain, one)),
    `${chain}log/not-a-piece`,
    baseName(chainPrefix(archive, 'shard-2', 'other')),
  ];
  for (const name of names) assert.equal(nameProblem(name), null);
  const found = listedArchive(
    archive,
    names.map((name, index) => ({ name, bytes: 1, modifiedAt: 100 - index })),
  );
  assert.deepEqual(found.layouts, [names[1], names[0]]);
  assert.deepEqual(found.chains, [
    { ...{ shard: 'shard-1', id: '1795-abc', prefix: chain, hasBase: true, hasChain: true, pieces }, putAt: 94 },
    {
      ...{ shard: 'shard-2', id: 'other', prefix: chainPrefix(archive, 'shard-2', 'other'), hasBase: true },
      ...{ hasChain: false, pieces: [], putAt: 93 },
    },
  ]);
});

it('goes from piece to piece, and from file to file', () => {
  const pieces = [piece(2, 30, 0, 70), piece(1, 100, 50, 40, true), piece(1, 0, 100, 20), piece(2, 0, 30, 60)];
  const way = logWay(pieces, 1);
  assert.deepEqual(
    way.pieces.map(({ seq, offset, skip }) => [seq, offset, skip]),
    [
      [1, 0, 0],
      [1, 100, 0],
      [2, 0, 0],
    ],
  );
  assert.deepEqual([way.next, way.until, way.hasHole], [{ seq: 2, offset: 30 }, 70, false]);
  assert.deepEqual(logWay([], 7), { pieces: [], next: { seq: 7, offset: 0 }, until: 0, hasHole: false });
  assert.deepEqual(logWay([piece(7, 0, 0, 9)], 7).until, 9, 'nothing was written, and that is known');
  assert.deepEqual(logWay([piece(7, 0, 0, 9, true)], 7).next, { seq: 8, offset: 0 });
});

it('ends before a hole', () => {
  const lacksMiddle = logWay([piece(1, 0, 100, 20), piece(1, 150, 10, 40)], 1);
  assert.deepEqual([lacksMiddle.next, lacksMiddle.until, lacksMiddle.hasHole], [{ seq: 1, offset: 100 }, 20, true]);
  const lacksEnd = logWay([piece(1, 0, 100, 20), piece(2, 0, 10, 40)], 1);
  assert.deepEqual([lacksEnd.next, lacksEnd.until, lacksEnd.hasHole], [{ seq: 1, offset: 100 }, 20, true]);
  assert.deepEqual(logWay([piece(1, 5, 100, 20)], 1).hasHole, true);
});

it('takes what two servers have written as one log', () => {
  const pieces = [piece(1, 0, 200, 30), piece(1, 0, 180, 25), piece(1, 180, 40, 40), piece(1, 190, 5, 35)];
  const way = logWay(pieces, 1);
  assert.deepEqual(
    way.pieces.map(({ offset, bytes, skip }) => [offset, bytes, skip]),
    [
      [0, 200, 0],
      [180, 40, 20],
    ],
  );
  assert.deepEqual([way.next.offset, way.until, way.hasHole], [220, 40, false]);
});
