/** A replica becomes the primary. `OK` is never the proof: the role is. */
import type { FailoverMode } from '../domain/failover.ts';
import type { Outcome } from '../plan/step.ts';
import type { Clock } from '../platform/clock.ts';
import { failover, role } from './admin.ts';
import type { NodeCommands } from './connection.ts';

/** A promotion takes about 10 ms; one that has not happened by then is planned anew. */
const PROMOTION_TIMEOUT_MS = 2_000;
const POLL_INTERVAL_MS = 2;

/** CLUSTER FAILOVER, sent once: a second one would restart the election. Done when the node says that it is the primary. */
export async function promote(clock: Clock, node: NodeCommands, mode: FailoverMode): Promise<Outcome> {
  await failover(node, mode);
  let expired = false;
  const endDeadline = clock.timer(PROMOTION_TIMEOUT_MS, () => {
    expired = true;
  });
  try {
    while (!expired) {
      if ((await role(node)).role === 'primary') return { result: 'done' };
      await clock.sleep(POLL_INTERVAL_MS);
    }
  } finally {
    endDeadline();
  }
  return { result: 'retry', reason: `it was not promoted within ${PROMOTION_TIMEOUT_MS} ms` };
}
