/** The record of a failover as a schema: agents tell it, the API answers it. */
import { z } from 'zod';
import { FAILOVER_CAUSES, FAILOVER_LIMITS, FAILOVER_MODES } from '../domain/failover.ts';

const { candidates, momentChars, moments } = FAILOVER_LIMITS;
const NAME_CHARS = 100;

const name = z.string().min(1).max(NAME_CHARS);
const count = z.int().min(0);
const node = z.string().regex(/^[0-9a-f]{40}$/);

export const failoverSchema = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{1,40}$/),
  database: name,
  databaseUid: name,
  shard: name,
  cause: z.enum(FAILOVER_CAUSES),
  node,
  machine: name,
  by: name,
  candidates: z.array(z.strictObject({ node, machine: name, offset: count.nullable() })).max(candidates),
  chosen: node.nullable(),
  mode: z.enum(FAILOVER_MODES).nullable(),
  result: z.union([
    z.strictObject({ state: z.literal('promoted') }),
    z.strictObject({ state: z.literal('given_up'), reason: z.string().max(momentChars) }),
  ]),
  startedAt: count,
  tookMs: count,
  timeline: z.array(z.strictObject({ afterMs: count, what: z.string().max(momentChars) })).max(moments),
  lostAtMostMs: count.nullable(),
  waitedMs: count.nullable(),
});
