/** How fast streams go together, on a clock moved by hand. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { ManualClock } from '../../../test/support/manual-clock.ts';
import { Rate } from './rate.ts';

const CHUNK = Buffer.alloc(1_000);

async function* chunks(count: number): AsyncGenerator<Buffer> {
  for (let index = 0; index < count; index += 1) yield CHUNK;
}

/** How long it takes until all have been read, by steps of so many ms. */
async function timeOf(clock: ManualClock, streams: readonly AsyncIterable<Buffer>[], stepMs = 10): Promise<number> {
  let isOver = false;
  const all = Promise.all(
    streams.map(async (stream) => {
      for await (const _ of stream);
    }),
  ).then(() => {
    isOver = true;
  });
  const startedAt = clock.now();
  for (let step = 0; step < 10_000 && !isOver; step += 1) {
    await new Promise(setImmediate);
    if (!isOver) clock.advance(stepMs);
  }
  await all;
  return clock.now() - startedAt;
}

it('lets so many bytes a second go, however many streams share it', async () => {
  for (const streams of [1, 3]) {
    const clock = new ManualClock();
    clock.stall(1_000_000);
    const rate = new Rate(10_000, clock);
    const each = 60 / streams;
    const took = await timeOf(
      clock,
      Array.from({ length: streams }, () => rate.of(chunks(each))),
    );
    assert.ok(took >= 5_500 && took <= 6_200, `${streams} streams: 60,000 bytes in ${took} ms`);
  }
});

it('holds nothing up that comes more slowly, and saves nothing up', async () => {
  const clock = new ManualClock();
  clock.stall(1_000_000);
  const rate = new Rate(10_000, clock);
  await timeOf(clock, [rate.of(chunks(10))]);
  clock.advance(60_000);
  const took = await timeOf(clock, [rate.of(chunks(20))]);
  assert.ok(took >= 1_700, `20,000 bytes in ${took} ms after a minute of rest`);
});
