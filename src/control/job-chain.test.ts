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
  /** So many times something else has begun first. */
  busy?: number;
}

/** What came after two jobs of the source `a`. */
async function afterJobs({
  states,
  after = record(),
  left = 50,
  moves = [step('a')],
  looksMeanwhile = true,
  busy = 0,
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
    goOn: (next) => went.push(next) > busy,
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
  await over;
  return { went, woken };
}

const DONE = ['success', 'success'];

it('goes on with what the source has left, as far as there is room for it by the last look', async () => {
  const { went, woken } = await afterJobs({ states: DONE });
  assert.deepEqual(went[0]?.args.moves, [{ to: 'b', slots: [[50, 99]], inARow: 9 }]);
  assert.equal(woken, 0);
});

it('goes on after what comes before it', async () => {
  const { went, woken } = await afterJobs({ states: DONE, busy: 2 });
  assert.deepEqual([went.length, woken], [3, 0]);
});

it('looks where that is needed to know what follows', async () => {
  const cases: [string, Scene][] = [
    ['one failed', { states: ['failed', 'success'] }],
    ['nothing is left', { states: DONE, left: 0 }],
    ['something is in the way', { states: DONE, moves: [] }],
    ['it was another source that could go on', { states: DONE, moves: [step('c')] }],
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
