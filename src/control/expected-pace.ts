/** What slots hold, and what their jobs are to be sized for: the pace that is asked for holds where somebody would notice. */
import type { Database } from '../domain/database.ts';
import type { JobPace } from '../domain/reshard.ts';
import type { Pace } from '../domain/spec.ts';
import type { DatabaseView } from '../domain/view.ts';
import type { Clock } from '../platform/clock.ts';
import { clientCallsOf } from '../valkey/client-calls.ts';
import type { Engines } from '../valkey/engines.ts';
import type { QuietNodes } from './quiet-nodes.ts';
import { askAll, owningShards, type SlotWeights, weighSlots } from './slot-weights.ts';

/** So long it is listened for clients at least. */
const LISTEN_MS = 200;

export interface Listening {
  clock: Clock;
  engines: Engines;
  quietNodes: QuietNodes;
}

/** @param pace that is asked for. @throws reshard_refused when a primary does not answer */
export async function weighAndListen(
  { clock, engines, quietNodes }: Listening,
  database: Database,
  view: DatabaseView,
  pace: Pace,
): Promise<{ weights: SlotWeights; pace: JobPace }> {
  const listen = (): Promise<boolean[]> =>
    askAll(database, owningShards(engines, database, view), async ({ node, owner }) =>
      quietNodes.note(owner.assignment.id, await clientCallsOf(node), clock.now()),
    );
  await listen();
  const [weights] = await Promise.all([weighSlots(engines, database, view), clock.sleep(LISTEN_MS)]);
  const areQuiet = await listen();
  return { weights, pace: areQuiet.every((isQuiet) => isQuiet) ? 'quiet' : pace };
}
