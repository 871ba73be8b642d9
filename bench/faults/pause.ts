/** A primary that is stopped and, if nobody has ended it meanwhile, goes on. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Fault } from './acts.ts';
import { hasEnded, signalAndSee } from './processes.ts';
import { watchChange } from './watch.ts';

/** What is to happen to a primary that is stopped for so long. */
export interface PauseDemand {
  pauseMs: number;
  /** Another is to be primary so soon after the stop; null: it is to stay. */
  failoverWithinMs: number | null;
  /** It is to have ended before another is a primary. */
  endsFirst: boolean;
}

/** SIGSTOP to a primary, and SIGCONT after `pauseMs` if it is still there. */
export const pausePrimary =
  ({ pauseMs, failoverWithinMs, endsFirst }: PauseDemand): Fault =>
  async (system, shards, shard) => {
    const { primary } = shards[shard]!;
    const watch = watchChange(system, shards[shard]!);
    const moment = signalAndSee(primary.pid, 'SIGSTOP');
    const seen = { broken: [] as string[], machine: primary.machine, endedAfterMs: 0, promotedAfterMs: 0 };
    const gone: number[] = [];
    const goOn = async (): Promise<void> => {
      await sleep(pauseMs);
      if (!hasEnded(primary.pid)) process.kill(primary.pid, 'SIGCONT');
    };
    return {
      blow: { shards: [shard], ...moment },
      lasts: goOn(),
      mend: async () => {
        await watch.stop();
        const { endedAt, promotedAt, ranAtPromotion } = watch.change;
        const since = (at: number | null): number | null => (at === null ? null : at - moment.at);
        Object.assign(seen, { endedAfterMs: since(endedAt), promotedAfterMs: since(promotedAt) });
        if (endedAt !== null) gone.push(primary.pid);
        if (failoverWithinMs === null && promotedAt !== null) seen.broken.push('another became primary');
        if (failoverWithinMs !== null && !(promotedAt !== null && promotedAt - moment.at <= failoverWithinMs)) {
          seen.broken.push(`no other primary within ${failoverWithinMs / 1000} s`);
        }
        if (endsFirst && ranAtPromotion) seen.broken.push('the stopped process was there when another became primary');
        if (hasEnded(primary.pid)) await system.revive(primary);
      },
      gone,
      seen,
    };
  };
