/** Slots on their way, and what is expected of it, as schemas; part of `ANSWERS`. */
import { z } from 'zod';
import { JOB_PACES } from '../domain/reshard.ts';

const count = z.int().min(0);

export const estimateSchema = z.strictObject({
  pace: z.enum(JOB_PACES),
  ...{ slots: count, keys: count, bytes: count, jobs: count, largestSlotKeys: count },
  ...{ seconds: z.number().min(0), peakBytes: count, longestWaitMs: count },
});

export const reshardSchema = z.strictObject({
  state: z.enum(['moving', 'paused', 'stuck', 'leaving']),
  cancels: z.boolean(),
  since: z.iso.datetime(),
  from: count,
  slots: count,
  left: count,
  slotsPerSecond: z.number(),
  secondsLeft: count.nullable(),
  job: z
    .strictObject({
      ...{ from: z.string(), to: z.string(), slots: count, phase: z.string(), remainingBytes: count },
      paced: count.nullable(),
    })
    .nullable(),
  estimate: estimateSchema,
});
