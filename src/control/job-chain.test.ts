/** What follows the jobs of a move: the next ones at once, or a look. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { ManualClock } from '../../test/support/manual-clock.ts';
import type { Database } from '../domain/database.ts';
import type { MoveStep } from '../plan/slot-moves.ts';
import type { NodeCommands } from '../valkey/connection.ts';
import { JobChain } from './job-chain.ts';

const record = (more: object = {}): Database =>
  ({ generation: 2, reshard: { paused: false }, ...more }) as unknown as Database;

const step = (source: string): MoveStep => ({
  ...{ kind: 'move_slots', target: source, because: 'slots_misplaced', expects: {} },
  args: {
    moves: [{ to: 'b', slots: [[0, 99]], inARow: 9 }],
    most: { keys: 10, bytesPerSecond: 10 },
    atOnce: 2,
    ifQuiet: null,
  },
});

interface Scene {
  /** What its source says of its two jobs, the latest first. */
  states: string[];
  /** What the record is when they are over. */
  after?: Database | undefined;
  left?: number;
  /** Of the look meanwhile. */
  moves?: readonly MoveStep[];
  looksMeanwhile?: boolean;
  /** False where nothing comes after yet. */
  isOver?: boolean;
}

/** What came after two jobs of the source `a`. */
async function afterJobs({
  states,
  after = record(),
  left = 50,
  moves = [step('a')],
  looksMeanwhile = true,
  isOver = true,
}: Scene) {
  const clock = new ManualClock();
  const went: MoveStep[] = [];
  let woken = 0;
  let now = ['snapshotting', 'waiting-to-snapshot'];
  const source = {
    pipeline: async () => [now.map((state) => ['state', state])],
  } as unknown as NodeCommands;
  const chain = new JobChain({
    clock,
    idle: async () => {},
    record: () => after,
    goOn: (next) => went.push(next),
    wake: () => {
      woken += 1;
    },
  });
  chain.looked(clock.now(), moves);
  const rest = left > 0 ? [{ to: 'b', slots: [[50, 49 + left]] as const, inARow: 7 }] : [];
  clock.advance(1);
  const over = chain.begun({ step: step('a'), database: record(), source, jobs: 2, left: rest });
  const advance = async (): Promise<void> => {
    clock.advance(15);
    for (let turns = 0; turns < 5; turns += 1) await turn();
  };
  await advance();
  if (looksMeanwhile) chain.looked(clock.now(), moves);
  assert.deepEqual([went.length, woken], [0, 0], 'they are under way');
  now = states;
  await advance();
  if (isOver) await over;
  return { went, woken };
}

const DONE = ['success', 'success'];

it('goes on with what the source has left', async () => {
  const { went, woken } = await afterJobs({ states: DONE });
  assert.deepEqual(went[0]?.args.moves, [{ to: 'b', slots: [[50, 99]], inARow: 7 }]);
  assert.equal(woken, 0);
});

it('goes on with another source when this one has given all', async () => {
  const { went } = await afterJobs({ states: DONE, left: 0, moves: [step('a'), step('c')] });
  assert.equal(went[0]?.target, 'c');
});

it('goes on with another source while this one drops what it gave', async () => {
  const states = ['failover-granted', 'success'];
  const { went } = await afterJobs({ states, left: 0, moves: [step('a'), step('c')] });
  assert.equal(went[0]?.target, 'c');
  for (const [what, scene] of [
    ['it has something left itself', { moves: [step('a'), step('c')] }],
    ['nobody else has', { left: 0 }],
    ['the hand-over is to come', { left: 0, moves: [step('c')], states: ['failover-paused', 'success'] }],
  ] as [string, Partial<Scene>][]) {
    const found = await afterJobs({ states, ...scene, isOver: false });
    assert.deepEqual([found.went.length, found.woken], [0, 0], what);
  }
});

it('looks where that is needed to know what follows', async () => {
  const cases: [string, Scene][] = [
    ['one failed', { states: ['failed', 'success'] }],
    ['nothing is left', { states: DONE, left: 0 }],
    ['something is in the way', { states: DONE, moves: [] }],
    ['no look was made meanwhile', { states: DONE, looksMeanwhile: false }],
    ['it was paused', { states: DONE, after: record({ reshard: { paused: true } }) }],
    ['something else was asked for', { states: DONE, after: record({ generation: 3 }) }],
    ['it was given up', { states: DONE, after: record({ reshard: null }) }],
  ];
  for (const [what, scene] of cases) {
    const { went, woken } = await afterJobs(scene);
    assert.deepEqual([went.length, woken], [0, 1], what);
  }
});
